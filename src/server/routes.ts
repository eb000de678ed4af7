// The routes of the HTTP surface: a method and a path become what is asked for. The host does not matter.
import { EngineError } from "../base/errors.ts";

export type Route =
  | { readonly name: "createCompletion" }
  | { readonly name: "listModels" }
  | { readonly name: "retrieveModel"; readonly id: string };

/** @throws EngineError `unknown_url`, `method_not_supported`, `invalid_request` for an id that cannot be decoded */
export function routeOf(method: string, path: string): Route {
  const there = ROUTES.flatMap((row) => {
    const match = row.path.exec(path);
    return match ? [{ row, id: match[1] ?? "" }] : [];
  });
  const found = there.find(({ row }) => row.method === method);
  if (found) return found.row.route(found.id);
  if (there.length === 0) {
    const known = ROUTES.map(({ shown }) => shown).join(", ");
    throw new EngineError("unknown_url", `There is nothing at ${path}. There are: ${known}.`);
  }
  const allowed = there.map(({ row }) => row.method);
  throw new EngineError("method_not_supported", `${path} answers to ${allowed.join(", ")}, not to ${method}.`, {
    details: { allowed },
  });
}

interface RouteRow {
  readonly method: string;
  readonly path: RegExp;
  /** For people. */
  readonly shown: string;
  route(id: string): Route;
}

/** A slash at the end changes nothing. Ids may hold slashes, percent-encoded or as they are. */
const ROUTES: readonly RouteRow[] = [
  {
    method: "POST",
    path: /^\/v1\/chat\/completions\/?$/,
    shown: "POST /v1/chat/completions",
    route: () => ({ name: "createCompletion" }),
  },
  { method: "GET", path: /^\/v1\/models\/?$/, shown: "GET /v1/models", route: () => ({ name: "listModels" }) },
  {
    method: "GET",
    path: /^\/v1\/models\/(.+?)\/?$/,
    shown: "GET /v1/models/{id}",
    route: (id) => ({ name: "retrieveModel", id: decoded(id) }),
  },
];

function decoded(id: string): string {
  try {
    return decodeURIComponent(id);
  } catch {
    throw new EngineError("invalid_request", `The model's id '${id}' is not percent-encoded UTF-8.`, {
      param: "model",
    });
  }
}

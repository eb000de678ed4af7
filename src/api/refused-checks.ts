// Shapes of OpenAI's fields that are refused so far: a malformed value is told as such before the field is refused.
import { array, boolean, identifier, object, oneOf, string } from "./checks.ts";
import { shape, stringOr, variant } from "./shapes.ts";

const ANY_LENGTH = { min: 0, max: Number.POSITIVE_INFINITY };
const AT_LEAST_ONE = { min: 1, max: Number.POSITIVE_INFINITY };
/** OpenAI's limit on the older `functions`. */
const FUNCTIONS = { min: 1, max: 128 };

const NAMED = shape({ name: identifier });
const MODE = shape({ mode: oneOf("score", "block") });
const CUSTOM_FORMAT = variant({
  text: {},
  grammar: { grammar: shape({ syntax: oneOf("lark", "regex"), definition: string }) },
});

export const responseFormat = variant({
  text: {},
  json_object: {},
  json_schema: {
    json_schema: shape({ name: identifier }, { description: string, schema: object, strict: boolean }),
  },
});

export const tools = array(
  variant({
    function: {
      function: shape({ name: identifier }, { description: string, parameters: object, strict: boolean }),
    },
    custom: { custom: shape({ name: identifier }, { description: string, format: CUSTOM_FORMAT }) },
  }),
  ANY_LENGTH,
);

export const toolChoice = stringOr(
  oneOf("none", "auto", "required"),
  variant({
    function: { function: NAMED },
    custom: { custom: NAMED },
    allowed_tools: {
      allowed_tools: shape({ mode: oneOf("auto", "required"), tools: array(object, AT_LEAST_ONE) }),
    },
  }),
);

export const functions = array(shape({ name: identifier }, { description: string, parameters: object }), FUNCTIONS);

export const functionCall = stringOr(oneOf("none", "auto"), NAMED);

export const modalities = array(oneOf("text", "audio"), { min: 1, max: 2 });

export const audio = shape({
  voice: stringOr(string, shape({ id: string })),
  format: oneOf("wav", "aac", "mp3", "flac", "opus", "pcm16"),
});

export const webSearchOptions = shape(
  {},
  {
    search_context_size: oneOf("low", "medium", "high"),
    user_location: variant({
      approximate: { approximate: shape({}, { country: string, region: string, city: string, timezone: string }) },
    }),
  },
);

export const moderation = shape({ model: string }, { policy: shape({}, { input: MODE, output: MODE }) });

// Starts the page with the model that its address names, or the default one.
import { DEFAULT_MODEL } from "./default-model.ts";
import { startPage } from "./page.ts";

const app = startPage();
const named = new URLSearchParams(location.search).get("model");
if (named === null) app.openModel(new URL(`./models/${DEFAULT_MODEL.name}`, location.href), DEFAULT_MODEL.sha256);
else app.openModel(new URL(named, location.href));

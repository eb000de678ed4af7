// Part of the fingerprint: raised with every release, and with every change that can alter an answer. A test holds it to
// package.json.
export const ENGINE_VERSION = "0.1.0";

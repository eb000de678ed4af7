// The policy that the demo is served under. Nothing inline, nothing evaluated; the network ends at the model hosts.

/** Hosts that a page may load models from besides its own: the hub, and the hosts that it redirects file requests to. */
export const MODEL_HOSTS: readonly string[] = ["https://huggingface.co", "https://*.huggingface.co", "https://*.hf.co"];

export function contentSecurityPolicy(modelHosts: readonly string[] = MODEL_HOSTS): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "worker-src 'self'",
    "style-src 'self'",
    `connect-src ${["'self'", ...modelHosts].join(" ")}`,
    "img-src 'self' blob:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

/** Headers of every answer of the demo's server. */
export function securityHeaders(modelHosts?: readonly string[]): Record<string, string> {
  return {
    "content-security-policy": contentSecurityPolicy(modelHosts),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "cross-origin-resource-policy": "same-origin",
  };
}

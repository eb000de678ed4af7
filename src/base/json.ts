// Plain data, as JSON has it. A type, and nothing to run.

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined };

/** An expected no, as a value: test with `'refusal' in result`. The text may be shown to whoever asked. */
export type Refusal = { readonly refusal: string };

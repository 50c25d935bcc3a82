/** An operation whose answer holds AWS keys that work without Postern (docs/decisions/0008). */
export type CredentialOperation = {
  /** signing name */
  readonly service: string;
  readonly operation: string;
  /**
   * `duration`: the request says how long the keys live, and capDurations cuts it. `fixed`: AWS decides, at most `seconds`.
   * `lasting`: they live until somebody deletes them.
   */
  readonly life:
    | { readonly kind: 'duration'; readonly member: string; readonly unitSeconds: number; readonly defaultSeconds: number }
    | { readonly kind: 'fixed'; readonly seconds: number }
    | { readonly kind: 'lasting' };
};
export type CredentialOperationOf = (service: string, operation: string | undefined) => CredentialOperation | undefined;

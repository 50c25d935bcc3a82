import { type KeyLife, keyLife } from '#handouts/key-life.ts';
import { serviceTable, tableName } from '#requests/service-table.ts';

/** An operation whose answer holds AWS keys that work without Postern (docs/decisions/0008). */
export type CredentialOperation = {
  /** signing name */
  readonly service: string;
  readonly operation: string;
  readonly life: KeyLife;
  /** members of the answer that hold the ids of the keys */
  readonly keys: readonly string[];
};

let operations: ReadonlyMap<string, CredentialOperation> | undefined;

/** Undefined for all others. The case of the name is ignored: what is missed here would hand out keys. */
export function credentialOperation(service: string, operation: string | undefined): CredentialOperation | undefined {
  if (operation === undefined) return undefined;
  operations ??= new Map(
    serviceTable().credentials.map((one) => {
      const { service: name, operation: known, keys } = one;
      return [nameOf(name, known), { service: name, operation: known, keys, life: keyLife(name, known) }];
    }),
  );
  return operations.get(nameOf(tableName(service), operation));
}

function nameOf(service: string, operation: string): string {
  return `${service} ${operation.toLowerCase()}`;
}

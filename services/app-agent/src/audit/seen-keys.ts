import { type AwsProtocol, type CredentialOperation, handedOutKeys } from '@postern/aws';

/** Longer than any answer of an operation that hands out keys. */
const MAX_BYTES = 256 * 1024;

/** Watches the answer of an operation that hands out keys go by, for their ids; the keys themselves are forgotten with it. */
export class SeenKeys {
  readonly #operation: CredentialOperation;
  readonly #protocol: AwsProtocol;
  readonly #pieces: Buffer[] = [];
  #bytes = 0;

  constructor(operation: CredentialOperation, protocol: AwsProtocol) {
    this.#operation = operation;
    this.#protocol = protocol;
  }

  readonly tap = (piece: Buffer): void => {
    this.#bytes += piece.length;
    if (this.#bytes <= MAX_BYTES) this.#pieces.push(piece);
  };

  ids(): readonly string[] {
    return handedOutKeys({ operation: this.#operation, protocol: this.#protocol, body: Buffer.concat(this.#pieces) });
  }
}

import { awsRefusal, type RefusalText } from '#local-port/aws-refusal.ts';

/** A refusal of tsh's own, in the shape that the SDK that asked can read. */
export function refusalText(command: string): RefusalText {
  return ({ shape, message }) => awsRefusal(shape, `${command}: ${message}`);
}

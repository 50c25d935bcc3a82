import { hostLabels, splitSuffix } from '#endpoints/host-labels.ts';

/**
 * Labels in front of the region, of services that have operations in HTTP/2 alone: event streams upwards, and Kinesis' SubscribeToShard. Their
 * other operations are served in it as well. Source: `protocolSettings.h2` of botocore's service models, which do not have Transcribe's.
 */
const SERVICES = ['bedrock-runtime', 'connecthealth', 'kinesis', 'polly', 'qbusiness', 'runtime-v2-lex', 'transcribestreaming'];
const PREFIXES = new Set(SERVICES.flatMap((label) => [label, `${label}-fips`]));

/** Whether programs speak HTTP/2 to this host of AWS's: elsewhere nothing needs it, and not every service has it. */
export function speaksHttp2(text: string): boolean {
  const labels = hostLabels(text);
  const split = labels && splitSuffix(labels);
  return split !== undefined && PREFIXES.has(split.inFront.slice(0, -1).join('.'));
}

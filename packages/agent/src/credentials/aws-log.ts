import type { AwsLog } from '@postern/aws';
import type { Logger } from '@postern/telemetry';

/** What packages/aws has to say, in the fields that a log line may have. */
export function awsLog(logger: Logger): AwsLog {
  return (level, message, fields = {}) => {
    const { role, detail, ...rest } = fields as { role?: unknown; detail?: unknown };
    const words = Object.entries(rest).map(([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`);
    logger[level]({ role, reason: detail ?? words.join(', ') }, message);
  };
}

import type { Writable } from 'node:stream';
import { type Level, type Logger as PinoLogger, pino } from 'pino';
import { boundedDestination } from '#log/bounded-destination.ts';
import { type LogFields, loggable, scrub } from '#log/fields.ts';
import { textLine } from '#log/text-line.ts';

export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

/** `message` is a fixed text of the program; what varies goes into fields. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  child(fields: LogFields): Logger;
  /** Lines dropped because the reader stood still, and bytes that wait for it: give them to the metrics. */
  backlog(): { readonly droppedLines: number; readonly waitingBytes: number };
}

export interface CreateLoggerOptions {
  readonly service: string;
  readonly level: LogLevel;
  readonly format: 'json' | 'text';
  /** stderr where none is given: stdout belongs to data. */
  readonly destination?: Writable;
  readonly nowMs?: () => number;
}

export function createLogger(options: CreateLoggerOptions): Logger {
  const { service, level, format, destination = process.stderr, nowMs = Date.now } = options;
  const time = () => new Date(nowMs()).toISOString();
  const sink = boundedDestination(
    destination,
    format === 'text' ? textLine : (line) => line,
    (dropped) =>
      `${JSON.stringify({ level: 'warn', time: time(), service, dropped, message: 'log lines were dropped: the reader stood still' })}\n`,
  );
  const writer = pino(
    {
      level,
      messageKey: 'message',
      base: { service },
      timestamp: () => `,"time":"${time()}"`,
      // pino's own would write every property of an error.
      serializers: { err: (err: unknown) => err },
      formatters: { level: (label) => ({ level: label }) },
    },
    sink,
  );
  return wrap(writer, () => ({ droppedLines: sink.droppedLines, waitingBytes: sink.waitingBytes }));
}

function wrap(writer: PinoLogger, backlog: Logger['backlog']): Logger {
  const at = (level: Level) => (fields: LogFields, message: string) => {
    // A log line must never be what ends a request: a getter that throws costs the line's fields, not more.
    if (!writer.isLevelEnabled(level)) return;
    let kept: Record<string, unknown>;
    try {
      kept = loggable(fields);
    } catch {
      kept = { omittedFields: 1 };
    }
    writer[level](kept, scrub(message));
  };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => wrap(writer.child(loggable(fields)), backlog),
    backlog,
  };
}

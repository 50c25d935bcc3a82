import { statfs } from 'node:fs/promises';

const checkEveryMs = 2000;
const levels = [90, 80] as const;
const enoughBytes = 256 * 1024;

export interface VolumeAlarm {
  readonly percent: number;
  /** The level that was passed. */
  readonly level: 80 | 90;
  readonly freeBytes: number;
}

/**
 * Looks how full the volume of the log is. A full one refuses every act, so that it is told before: at 80 and at 90 %,
 * once each, and once when there is space again.
 */
export class VolumeWatch {
  readonly #dir: string;
  readonly #onChange: (alarm: VolumeAlarm | undefined) => void;
  readonly #onSpace: () => void;
  readonly #timer: NodeJS.Timeout;
  #alarm: VolumeAlarm | undefined;

  constructor(
    dir: string,
    told: {
      readonly onChange: (alarm: VolumeAlarm | undefined) => void;
      /** At each look that finds room for a commit. */
      readonly onSpace: () => void;
    },
  ) {
    this.#dir = dir;
    this.#onChange = told.onChange;
    this.#onSpace = told.onSpace;
    this.#timer = setInterval(() => void this.check(), checkEveryMs);
    this.#timer.unref();
  }

  get alarm(): VolumeAlarm | undefined {
    return this.#alarm;
  }

  async check(): Promise<void> {
    const usage = await usageOf(this.#dir).catch(() => undefined);
    if (usage === undefined) return;
    const level = levels.find((candidate) => usage.percent >= candidate);
    const changed = level !== this.#alarm?.level;
    this.#alarm = level === undefined ? undefined : { ...usage, level };
    if (changed) this.#onChange(this.#alarm);
    if (usage.freeBytes >= enoughBytes) this.#onSpace();
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

async function usageOf(dir: string): Promise<Omit<VolumeAlarm, 'level'>> {
  const { blocks, bavail, bsize } = await statfs(dir);
  // As `df` counts: what only root may use is not free. A file system without a size is never full.
  const percent = blocks === 0 ? 0 : Math.ceil(100 * (1 - bavail / blocks));
  return { percent, freeBytes: bavail * bsize };
}

export function volumeText({ percent, freeBytes }: VolumeAlarm): string {
  const free = `${Math.floor(freeBytes / 1024 ** 2)} MiB are free`;
  return `the volume of the audit log is ${percent} % full, ${free}: once it is full every act is refused`;
}

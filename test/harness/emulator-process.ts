import { join } from 'node:path';

export interface EmulatorPorts {
  readonly http: number;
  readonly control: number;
  /** What agents dial, where it is there. */
  readonly tls?: number;
}

export interface EmulatorProcess {
  readonly ports: EmulatorPorts;
  readonly account: string;
  /** Names, or ARNs of another account. */
  readonly roles: readonly string[];
  readonly keyId: string;
  readonly keySecret: string;
  readonly rawLogFile: string;
  /** With web-key.pem and web-cert.pem. */
  readonly dir: string;
}

const MAIN = join(import.meta.dirname, '..', '..', 'packages/aws-emulator/src/main.ts');

/** The command line of an "AWS" that is a process of its own. */
export function emulatorCommand({ ports, account, roles, keyId, keySecret, rawLogFile, dir }: EmulatorProcess): readonly string[] {
  const { http, control, tls } = ports;
  const flags = {
    port: String(http),
    'control-port': String(control),
    account,
    'access-key-id': keyId,
    'secret-access-key': keySecret,
    'raw-log': rawLogFile,
    ...(tls === undefined ? {} : { 'tls-port': String(tls), 'tls-key': join(dir, 'web-key.pem'), 'tls-cert': join(dir, 'web-cert.pem') }),
  };
  const flat = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
  return [process.execPath, MAIN, ...flat, ...roles.flatMap((role) => ['--role', role])];
}

/** See startControl of the emulator; undefined takes away what was told. */
export async function tellEmulator(controlPort: number, path: string, value: unknown): Promise<void> {
  const body = value === undefined ? { method: 'DELETE' } : { method: 'PUT', body: JSON.stringify(value) };
  const answer = await fetch(`http://127.0.0.1:${controlPort}/${path}`, body);
  if (!answer.ok) throw new Error(`the emulator does not do as it is told: ${answer.status} ${await answer.text()}`);
}

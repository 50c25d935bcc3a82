// `ssh -R`: an sshd of its own on loopback with keys that live as long as the run, and an ssh that brings it a port of the other side.
import { chownSync, readdirSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { freePort, isListening, must, until } from '../../test/harness/processes.ts';

const NOBODY = { name: 'nobody', uid: 65534, prefix: ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] };

/**
 * Makes `targetPort` reachable at the port that is returned; `dir` is a folder of its own. `daemon(name, command)` starts what runs on. Started by root, sshd runs as
 * nobody: then it needs no /run/sshd and can let in nobody but nobody. What a byte costs on its way is the same: it never passes
 * the half that has privileges. An sftp session is held open and never spoken to: with `ssh -N` sshd leaves Nagle's algorithm on, and
 * whoever has one connection waits 40 ms for many of his answers.
 */
export async function startReverseSsh({ dir, daemon, targetPort }) {
  const who = process.getuid() === 0 ? NOBODY : { name: userInfo().username, uid: process.getuid(), prefix: [] };
  const at = (file) => join(dir, file);
  for (const name of ['host-key', 'client-key']) await must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', at(name)]);
  const [sshdPort, port] = [await freePort(), await freePort()];
  await must(['cp', at('client-key.pub'), at('authorized-keys')]);
  const [hostKey] = (await must(['cut', '-d', ' ', '-f1,2', at('host-key.pub')])).split('\n');
  writeFileSync(at('known-hosts'), `[127.0.0.1]:${sshdPort} ${hostKey}\n`);
  writeFileSync(at('sshd.conf'), `${sshdConfig({ at, port: sshdPort, user: who.name }).join('\n')}\n`);
  await must(['mkfifo', at('silence')]);
  give(dir, who.uid);
  daemon('sshd', [...who.prefix, '/usr/sbin/sshd', '-D', '-e', '-f', at('sshd.conf')]);
  await until('sshd to listen', 10_000, async () => ((await isListening(sshdPort)) ? true : undefined));
  const forward = ['-R', `127.0.0.1:${port}:127.0.0.1:${targetPort}`, '-p', String(sshdPort), '-l', who.name];
  const ssh = ['ssh', '-F', 'none', ...clientOptions(at).flatMap((option) => ['-o', option]), ...forward, '-T', '-s', '127.0.0.1', 'sftp'];
  daemon('ssh', [...who.prefix, 'sh', '-c', `exec "$@" 0<>${at('silence')}`, 'ssh', ...ssh]);
  await until('ssh to forward its port', 10_000, async () => ((await isListening(port)) ? true : undefined));
  return port;
}

function sshdConfig({ at, port, user }) {
  return [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${at('host-key')}`,
    `AuthorizedKeysFile ${at('authorized-keys')}`,
    `AllowUsers ${user}`,
    'PidFile none',
    'StrictModes no',
    'UsePAM yes',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'AllowTcpForwarding remote',
    'X11Forwarding no',
    'Subsystem sftp internal-sftp',
    'Compression no',
    'LogLevel ERROR',
  ];
}

/** The cipher is the quickest there is where the processor has AES instructions: OpenSSH's own first choice costs more. */
function clientOptions(at) {
  return [
    `IdentityFile=${at('client-key')}`,
    'IdentitiesOnly=yes',
    `UserKnownHostsFile=${at('known-hosts')}`,
    'StrictHostKeyChecking=yes',
    'BatchMode=yes',
    'ExitOnForwardFailure=yes',
    'ServerAliveInterval=15',
    'Ciphers=aes128-gcm@openssh.com',
    'Compression=no',
  ];
}

function give(dir, uid) {
  for (const path of [dir, ...readdirSync(dir).map((file) => join(dir, file))]) chownSync(path, uid, -1);
}

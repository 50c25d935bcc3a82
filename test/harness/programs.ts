import { spawnSync } from 'node:child_process';

const hints = {
  aws: ['aws --version', 'the AWS CLI (pip install awscli)'],
  boto3: ["python3 -c 'import boto3'", 'boto3 (pip install boto3)'],
  openssl: ['openssl version', 'openssl (apt-get install openssl)'],
  redis: ['redis-server --version', 'redis-server (apt-get install redis-server)'],
  chromium: ['chromium --version', 'chromium (apt-get install chromium)'],
  faketime: ['test -e /usr/lib/*-linux-gnu/faketime/libfaketime.so.1', 'libfaketime (apt-get install faketime)'],
  iptables: ['iptables -n -L INPUT', 'iptables, and be root (apt-get install iptables)'],
  tmpfs: ['d=$(mktemp -d) && mount -t tmpfs tmpfs "$d" && umount "$d" && rmdir "$d"', 'the right to mount a tmpfs (be root)'],
  jq: ['jq --version', 'jq (apt-get install jq)'],
  nginx: ['test -x /usr/sbin/nginx', 'nginx (apt-get install nginx-light)'],
  ssh: ['ssh -V', 'ssh (apt-get install openssh-client)'],
  sshd: ['test -x /usr/sbin/sshd', 'sshd (apt-get install openssh-server)'],
  stunnel: ['stunnel -version', 'stunnel (apt-get install stunnel4)'],
} as const;

/**
 * The programs of the list that this machine lacks, in words. Where everything is required (CI, REQUIRE_ALL)
 * a lack is an error: a test that did not run must not look like one that passed.
 */
export function lacking(...programs: readonly (keyof typeof hints)[]): string | undefined {
  const absent = programs.filter((program) => spawnSync('sh', ['-c', hints[program][0]], { stdio: 'ignore' }).status !== 0);
  if (absent.length === 0) return undefined;
  const words = `install ${absent.map((program) => hints[program][1]).join(', ')}`;
  if (process.env['CI'] !== undefined || process.env['REQUIRE_ALL'] !== undefined) throw new Error(words);
  console.warn(`skipped: ${words}`);
  return words;
}

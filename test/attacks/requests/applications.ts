import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { APP, appRole, ROLE_ARN, startAppAgent, up } from '@postern/test-harness/app-agent.ts';
import { type Cluster, PASSWORD, ROLE } from '@postern/test-harness/cluster.ts';
import { freePort, until } from '@postern/test-harness/processes.ts';
import { type Recorder, recordBetween } from '@postern/test-harness/recorder.ts';

/** Content of an object: private, and no secret of anybody's. */
const OBJECT = 'canary-in-an-object-3c55';
const FOREIGN = { token: 'canary-foreign-token-b7e2', signature: 'f0'.repeat(32) };

/** What somebody has who uses the AWS application in every way there is, and what AWS gave the agent for it. */
export interface Used {
  /** By what each is. */
  readonly secrets: Readonly<Record<string, string>>;
  /** What the programs printed beside their results, at the level debug. */
  readonly said: string;
}

/** Alice uses the application: from a browser, with `tsh apps console`, `tsh proxy aws`, `tsh aws`, `tsh up`, a pre-signed URL, AssumeRole. */
export async function useApplications(cluster: Cluster): Promise<Used> {
  const atAws = await recordBetween(cluster.emulatorPort);
  try {
    return await use(cluster, atAws);
  } finally {
    atAws.close();
  }
}

async function use(cluster: Cluster, atAws: Recorder): Promise<Used> {
  const { token } = await startAppAgent(cluster, {
    env: { AWS_ENDPOINT_URL: `http://127.0.0.1:${atAws.port}` },
    severity: 'DEBUG',
  });
  await appRole(cluster, 'console');
  await cluster.admin('tctl users update alice --set-roles=dynamo,console');
  await cluster.signIn('alice');
  const said: string[] = [];
  /** Of tools that print a secret because they were asked for it, this is not it. */
  const debug = async (line: string, env: NodeJS.ProcessEnv = {}) => {
    const { code, stdout, stderr } = await cluster.sh(line, { env: cluster.awsEnv(env) });
    said.push(stderr);
    if (code !== 0) throw new Error(`${line} exited ${code}: ${stdout}${stderr}`);
    return stdout.trim();
  };

  await debug(`tsh -d apps login --aws-role ${ROLE} ${APP}`);
  const browser = await signInWithBrowser(cluster);
  const printed = await debug(`tsh -d apps console ${APP} --aws-role ${ROLE} --print`);
  // It comes for the address as a browser does, and goes no further.
  writeFileSync(join(cluster.dir, 'browser'), '#!/bin/sh\nexec curl -s -o /dev/null "$1"\n', { mode: 0o755 });
  await debug(`tsh -d apps console ${APP} --aws-role ${ROLE} --browser=${join(cluster.dir, 'browser')}`);

  await debug('tsh -d aws s3 mb s3://files');
  const port = await freePort();
  const proxy = cluster.daemon('proxy-aws', ['tsh', '-d', 'proxy', 'aws', '-p', String(port)], { TELEPORT_HOME: cluster.homeOf('alice') });
  await proxy.says(/HTTPS_PROXY=\S+/);
  const env = Object.fromEntries([...proxy.log().matchAll(/^ {2}([A-Z_]+)=(.+)$/gm)].map(([, name = '', value = '']) => [name, value]));
  writeFileSync(join(cluster.dir, 'object'), OBJECT);
  await debug('aws s3 cp object s3://files/object', env);
  rmSync(join(cluster.dir, 'object'));
  const handedOut = JSON.parse(await debug(`aws sts assume-role --role-arn ${ROLE_ARN} --role-session-name mine`, env)) as {
    Credentials: { SecretAccessKey: string; SessionToken: string };
  };
  // The first version of the AWS CLI signs URLs in an older way unless it is told.
  writeFileSync(join(cluster.dir, 'aws-config'), '[default]\ns3 =\n  signature_version = s3v4\n');
  const presigned = await debug('aws s3 presign s3://files/object', { ...env, AWS_CONFIG_FILE: join(cluster.dir, 'aws-config') });
  const got = await cluster.mustSh(`curl -sS --proxy "$HTTPS_PROXY" --cacert "$AWS_CA_BUNDLE" '${presigned}'`, { env });
  if (got !== OBJECT) throw new Error(`the pre-signed URL gave ${got}`);
  const foreign = `https://files.s3.us-east-1.amazonaws.com/object?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIACANARY%2F20260101%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20260101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Security-Token=${FOREIGN.token}&X-Amz-Signature=${FOREIGN.signature}`;
  await cluster.mustSh(`curl -sS --proxy "$HTTPS_PROXY" --cacert "$AWS_CA_BUNDLE" '${foreign}'`, { env });

  const { port: upPort, keys } = await up(cluster, 'alice');
  const endpoint = { AWS_ACCESS_KEY_ID: keys.id, AWS_SECRET_ACCESS_KEY: keys.secret, AWS_ENDPOINT_URL: `http://127.0.0.1:${upPort}` };
  await debug('aws s3 cp s3://files/object -', endpoint);
  // What is refused is described in logs more often than what passes.
  await cluster.sh('aws dynamodb list-tables', { env: cluster.awsEnv({ ...endpoint, AWS_SECRET_ACCESS_KEY: 'not-the-one' }) });
  await cluster.sh('aws iam create-access-key --user-name mine', { env: cluster.awsEnv(endpoint) });
  await until('a request to AWS to have been recorded', 5_000, () => (atAws.said().includes('SigninToken') ? true : undefined));
  await cluster.mustSh('tsh down');
  await proxy.stop();

  const heard = atAws.said();
  const found = (what: string, pattern: RegExp) =>
    [...heard.matchAll(pattern)].map(([, value = ''], at) => [`${what} ${at} that AWS handed out`, value] as const);
  const given = [
    ...found('the secret key', /<SecretAccessKey>([^<]+)</g),
    ...found('the session token', /<SessionToken>([^<]+)</g),
    ...found('the SigninToken', /"SigninToken":"([^"]+)"/g),
  ];
  if (new Set(given.map(([what]) => what.replace(/ \d+ .*/, ''))).size < 3) throw new Error(`AWS handed out only ${given.length} secrets`);
  return {
    said: said.join('\n'),
    secrets: {
      ...browser,
      ...Object.fromEntries(given),
      applicationsToken: token,
      signinTokenPrinted: new URL(printed).searchParams.get('SigninToken') ?? '',
      localSecret: env['AWS_SECRET_ACCESS_KEY'] ?? '',
      localSecretOfUp: keys.secret,
      handedOutSecret: handedOut.Credentials.SecretAccessKey,
      handedOutToken: handedOut.Credentials.SessionToken,
      presignedSignature: new URL(presigned).searchParams.get('X-Amz-Signature') ?? '',
      foreignToken: FOREIGN.token,
      foreignSignature: FOREIGN.signature,
      object: OBJECT,
    },
  };
}

/** With curl and its jar, which is not left behind; what a browser has afterwards. */
async function signInWithBrowser(cluster: Cluster): Promise<Record<string, string>> {
  const curl = (rest: string) => cluster.mustSh(`curl -s --cacert web-ca.pem -b jar -c jar ${rest}`);
  const at = (path: string) => `'https://${cluster.proxy}${path}'`;
  const form = await curl(at('/web/login'));
  const csrf = /name="_csrf" value="([^"]+)"/.exec(form)?.[1] ?? 'no token';
  const fields = ['user=alice', `password=${PASSWORD}`, `_csrf=${csrf}`].map((field) => `--data-urlencode '${field}'`).join(' ');
  await curl(`-o /dev/null -H 'Origin: https://${cluster.proxy}' ${fields} ${at('/web/login')}`);
  const launched = await curl(`-o /dev/null -w '%{redirect_url}' ${at(`/web/launch/${APP}?role=${encodeURIComponent(ROLE_ARN)}`)}`);
  const jar = readFileSync(join(cluster.dir, 'jar'), 'utf8');
  rmSync(join(cluster.dir, 'jar'));
  const cookie = /__Host-session\t(\S+)/.exec(jar)?.[1];
  const signinToken = new URL(launched).searchParams.get('SigninToken');
  if (cookie === undefined || signinToken === null) throw new Error(`no session: ${jar} ${launched}`);
  return { webCookie: cookie, webProof: csrf, signinTokenInBrowser: signinToken };
}

import { type AwsEnv, environmentCredentials, sharedFiles } from '#credentials/aws-env.ts';
import type { Credentials } from '#credentials/credentials.ts';

export type ProviderName = 'environment' | 'shared files' | 'web identity token' | 'container' | 'instance metadata';
export type Provider = { readonly name: ProviderName; readonly provide: () => Promise<Credentials> };

/** Instances answer late while they boot, and a container on one needs a hop more. */
const metadataTimeoutMs = 2000;
const metadataRetries = 3;

/**
 * The places where an agent's own credentials may be, in order: environment, shared files, web identity token (IRSA), container (ECS, EKS Pod
 * Identity), instance metadata. Built by hand because the SDK's default chain passes over the environment when AWS_PROFILE is set. The SDK is
 * loaded on first use: it takes longer to load than everything else here, and an agent with keys in its environment never needs it.
 */
export function providerChain(input: { readonly env: AwsEnv; readonly region: string | undefined }): readonly Provider[] {
  const { env, region } = input;
  const clientConfig = region === undefined ? {} : { clientConfig: { region } };
  const providers: Provider[] = [];
  const found = environmentCredentials(env);
  if (found !== undefined) return [{ name: 'environment', provide: () => Promise.resolve(found) }];

  providers.push({
    name: 'shared files',
    provide: async () => {
      const { fromIni } = await import('@aws-sdk/credential-providers');
      const { profile, credentials, config } = sharedFiles(env);
      return convert(await fromIni({ profile, filepath: credentials, configFilepath: config, ignoreCache: true, ...clientConfig })());
    },
  });
  const tokenFile = env['AWS_WEB_IDENTITY_TOKEN_FILE'];
  const tokenRole = env['AWS_ROLE_ARN'];
  if (tokenFile && tokenRole) {
    providers.push({
      name: 'web identity token',
      provide: async () => {
        const { fromTokenFile } = await import('@aws-sdk/credential-providers');
        const roleSessionName = env['AWS_ROLE_SESSION_NAME'] ?? 'postern-agent';
        return convert(await fromTokenFile({ webIdentityTokenFile: tokenFile, roleArn: tokenRole, roleSessionName, ...clientConfig })());
      },
    });
  }
  if (env['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'] || env['AWS_CONTAINER_CREDENTIALS_FULL_URI']) {
    providers.push({
      name: 'container',
      provide: async () => {
        const { fromHttp } = await import('@aws-sdk/credential-providers');
        const options = {
          awsContainerCredentialsRelativeUri: env['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'],
          awsContainerCredentialsFullUri: env['AWS_CONTAINER_CREDENTIALS_FULL_URI'],
          awsContainerAuthorizationTokenFile: env['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'],
          awsContainerAuthorizationToken: env['AWS_CONTAINER_AUTHORIZATION_TOKEN'],
        };
        const given = Object.entries(options).filter(([, value]) => value !== undefined && value !== '');
        return convert(await fromHttp({ ...Object.fromEntries(given), timeout: metadataTimeoutMs, maxRetries: metadataRetries })());
      },
    });
  }
  if (env['AWS_EC2_METADATA_DISABLED']?.toLowerCase() !== 'true') {
    providers.push({
      name: 'instance metadata',
      provide: async () => {
        const { fromInstanceMetadata } = await import('@aws-sdk/credential-providers');
        return convert(await fromInstanceMetadata({ timeout: metadataTimeoutMs, maxRetries: metadataRetries })());
      },
    });
  }
  return providers;
}

type SdkCredentials = {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration?: Date;
  readonly accountId?: string;
};

function convert(found: SdkCredentials): Credentials {
  return {
    accessKeyId: found.accessKeyId,
    secretAccessKey: found.secretAccessKey,
    ...(found.sessionToken === undefined ? {} : { sessionToken: found.sessionToken }),
    ...(found.expiration === undefined ? {} : { expiresAtMs: found.expiration.getTime() }),
    ...(found.accountId === undefined ? {} : { accountId: found.accountId }),
  };
}

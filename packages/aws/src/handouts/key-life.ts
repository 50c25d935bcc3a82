/**
 * How long keys live that an operation hands out.
 * - `duration`: the request says so, in the parameter `member` of the form (whichever of body and query string it comes in), of the query string,
 *   or of the JSON body, in seconds;
 * - `fixed`: AWS decides, and it is so many seconds at most;
 * - `lasting`: until somebody deletes them;
 * - `withheld`: however short, for they are good for nothing here: `why`, and what there is instead.
 */
export type KeyLife =
  | {
      readonly kind: 'duration';
      readonly place: 'form' | 'query' | 'json';
      readonly member: string;
      /** where the request does not say */
      readonly defaultSeconds: number;
    }
  | { readonly kind: 'fixed'; readonly seconds: number }
  | { readonly kind: 'lasting' }
  | { readonly kind: 'withheld'; readonly why: string };

const hour = 3600;
const form = { kind: 'duration', place: 'form', member: 'DurationSeconds' } as const;
const json = { kind: 'duration', place: 'json', member: 'DurationSeconds', defaultSeconds: hour } as const;
const lasting = { kind: 'lasting' } as const;
const ofExpress = {
  kind: 'withheld',
  why: 'keys that sign nothing on this way: set AWS_S3_DISABLE_EXPRESS_SESSION_AUTH=true (s3_disable_express_session_auth in a profile), and each request is signed by itself',
} as const;

/**
 * From the API references of the services. An operation that is not here hands out keys of a role's session of which AWS's documents give no
 * length: it can have the longest one of any role.
 */
const lives: Readonly<Record<string, KeyLife>> = {
  'sts AssumeRole': { ...form, defaultSeconds: hour },
  'sts AssumeRoleWithSAML': { ...form, defaultSeconds: hour },
  'sts AssumeRoleWithWebIdentity': { ...form, defaultSeconds: hour },
  'sts AssumeRoot': { ...form, defaultSeconds: 900 },
  'sts GetFederationToken': { ...form, defaultSeconds: 12 * hour },
  'sts GetScopedCredentials': { ...form, defaultSeconds: hour },
  'sts GetSessionToken': { ...form, defaultSeconds: 12 * hour },
  'lakeformation AssumeDecoratedRoleWithSAML': json,
  'lakeformation GetTemporaryDataLocationCredentials': json,
  'lakeformation GetTemporaryGluePartitionCredentials': json,
  'lakeformation GetTemporaryGlueTableCredentials': json,
  's3 GetDataAccess': { kind: 'duration', place: 'query', member: 'durationSeconds', defaultSeconds: hour },
  'account-access GetRoleCredentials': {
    kind: 'duration',
    place: 'query',
    member: 'sessionDuration',
    defaultSeconds: hour,
  },
  'cloudwatch GetSpaceCredentialsForOrganization': { kind: 'fixed', seconds: hour },
  'cloudwatch GetSpaceDataAccess': { kind: 'fixed', seconds: hour },
  's3 CreateSession': ofExpress,
  'cognito-identity GetCredentialsForIdentity': { kind: 'fixed', seconds: hour },
  'iam CreateAccessKey': lasting,
  'iam CreateServiceSpecificCredential': lasting,
  'iam ResetServiceSpecificCredential': lasting,
  'lightsail CreateBucketAccessKey': lasting,
};

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_update-role-settings.html: a role's sessions last twelve hours at most. */
const longestRoleSession: KeyLife = { kind: 'fixed', seconds: 12 * hour };

export function keyLife(service: string, operation: string): KeyLife {
  return lives[`${service} ${operation}`] ?? longestRoleSession;
}

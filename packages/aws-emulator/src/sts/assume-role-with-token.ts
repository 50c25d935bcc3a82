import { AwsError } from '#protocols/aws-error.ts';
import { element, elements, textOf } from '#protocols/xml.ts';
import { Constraints } from '#sts/constraints.ts';
import { type StsContext, checkDuration, checkPolicy, nameCharacters, openRoleSession, roleMembers } from '#sts/role-session.ts';

/** AssumeRoleWithWebIdentity: no signature; the token's shape and its times are judged, its own signature is not. Source: STS API reference. */
export function assumeRoleWithWebIdentity(parameters: ReadonlyMap<string, string>, context: StsContext): string {
  const constraints = new Constraints();
  const { roleArn, seconds } = roleMembers(parameters, constraints);
  const sessionName = constraints.required('roleSessionName', parameters.get('RoleSessionName'));
  const token = constraints.required('webIdentityToken', parameters.get('WebIdentityToken'));
  constraints.length('roleSessionName', sessionName, { min: 2, max: 64 });
  constraints.pattern('roleSessionName', sessionName, nameCharacters);
  if (token.length < 4 || token.length > 20_000) throw invalidToken('its length is not between 4 and 20000');
  constraints.check();
  checkPolicy(parameters);
  const { iss, sub, aud, exp } = claimsOf(token);
  if (typeof iss !== 'string' || typeof sub !== 'string' || typeof exp !== 'number') throw invalidToken('it lacks iss, sub or exp');
  if (exp * 1000 <= context.nowMs)
    throw new AwsError(
      'ExpiredTokenException',
      `Token expired: current date/time ${Math.floor(context.nowMs / 1000)} must be before the expiration date/time ${exp}`,
    );
  const role = trustedRole(roleArn, 'sts:AssumeRoleWithWebIdentity', context);
  checkDuration(seconds, role, undefined);
  const audience = Array.isArray(aud) ? String(aud[0]) : String(aud);
  return (
    openRoleSession({ origin: 'AssumeRoleWithWebIdentity', roleArn, sessionName, seconds }, context) +
    element('SubjectFromWebIdentityToken', sub) +
    element('Audience', audience) +
    element('Provider', iss)
  );
}

function claimsOf(token: string): Readonly<Record<string, unknown>> {
  const parts = token.split('.');
  try {
    const [header, payload] = parts
      .slice(0, 2)
      .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>);
    if (parts.length === 3 && parts[2] !== '' && typeof header?.['alg'] === 'string' && header['alg'] !== 'none' && payload !== undefined)
      return payload;
  } catch {
    // Falls to the refusal below.
  }
  throw invalidToken('it is not a signed JSON web token');
}

function invalidToken(why: string): AwsError {
  return new AwsError('InvalidIdentityToken', `The ID Token provided is not a valid JWT: ${why}`);
}

const sessionNameAttribute = 'https://aws.amazon.com/SAML/Attributes/RoleSessionName';

/** AssumeRoleWithSAML: no signature; of the assertion the shape is judged, and the session is called as it says. Source: STS API reference. */
export function assumeRoleWithSaml(parameters: ReadonlyMap<string, string>, context: StsContext): string {
  const constraints = new Constraints();
  const { roleArn, seconds } = roleMembers(parameters, constraints);
  const principalArn = constraints.required('principalArn', parameters.get('PrincipalArn'));
  const assertion = constraints.required('sAMLAssertion', parameters.get('SAMLAssertion'));
  constraints.length('principalArn', principalArn, { min: 20, max: 2048 });
  if (assertion.length > 100_000) throw invalidAssertion();
  constraints.check();
  checkPolicy(parameters);
  if (!/^arn:aws[a-z-]*:iam::\d{12}:saml-provider\/[\w+=,.@-]+$/u.test(principalArn))
    throw new AwsError('ValidationError', `${principalArn} is invalid`);
  const xml = Buffer.from(assertion, 'base64')
    .toString()
    .replaceAll(/(<\/?)\w+:(?=\w)/gu, '$1');
  const issuer = textOf(xml, 'Issuer');
  const subject = textOf(xml, 'NameID');
  const attribute = new RegExp(`<Attribute[^>]*Name="${sessionNameAttribute}"[^>]*>(?<value>.*?)</Attribute>`, 'su').exec(xml);
  const sessionName = textOf(attribute?.groups?.['value'] ?? '', 'AttributeValue')?.trim();
  if (elements(xml, 'Assertion').length === 0 || issuer === undefined || subject === undefined || sessionName === undefined)
    throw invalidAssertion();
  const role = trustedRole(roleArn, 'sts:AssumeRoleWithSAML', context);
  checkDuration(seconds, role, undefined);
  return (
    openRoleSession({ origin: 'AssumeRoleWithSAML', roleArn, sessionName, seconds }, context) +
    element('Subject', subject) +
    element('SubjectType', 'persistent') +
    element('Issuer', issuer) +
    element('Audience', textOf(xml, 'Audience') ?? 'https://signin.aws.amazon.com/saml')
  );
}

function invalidAssertion(): AwsError {
  return new AwsError(
    'InvalidIdentityToken',
    'Invalid base64 SAMLResponse, or one without an assertion that names issuer, subject and session',
  );
}

function trustedRole(roleArn: string, action: string, { roles }: StsContext): NonNullable<ReturnType<StsContext['roles']['get']>> {
  const role = roles.get(roleArn);
  if (role === undefined || role.trusts?.principals !== undefined)
    throw new AwsError('AccessDenied', `Not authorized to perform ${action}`, 403);
  return role;
}

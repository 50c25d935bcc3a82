import { chooseAppRole, type CompiledSubject } from '@postern/rbac';
import { awsApp, principalsAllowed } from '#certs/decide-principal.ts';
import { isPrincipal } from '#certs/principal-spellings.ts';
import type { ServedResource } from '#presence/served-resource.ts';

export type FoundPrincipal = { readonly principal: string } | { readonly refusal: string };

/**
 * The principal that is meant, as a certificate names it: of a database the text itself, of an application the full ARN of a role. Whether it is
 * granted is decided after this.
 */
export function findPrincipal(subject: CompiledSubject, server: ServedResource, asked: string): FoundPrincipal {
  const choice = allowedText(subject, server);
  const what = `${server.kind}/${server.name}`;
  const flag = server.kind === 'db' ? '--db-user' : '--aws-role';
  if (asked !== '' && !isPrincipal(asked)) {
    const shown = JSON.stringify(asked.slice(0, 80));
    return { refusal: `${shown} is not how an IAM role is written: give its name, role/PATH/NAME or its ARN: ${choice}` };
  }
  if (server.kind === 'db')
    return asked === '' ? { refusal: `say which IAM role to use on ${what} with ${flag}: ${choice}` } : { principal: asked };
  const chosen = chooseAppRole(subject, awsApp(server), asked);
  if ('arn' in chosen) return { principal: chosen.arn };
  if (chosen.problem === 'none given') return { refusal: `say which IAM role to use on ${what} with ${flag}: ${choice}` };
  if (chosen.problem === 'ambiguous')
    return { refusal: `several accounts have a role named ${asked}, give the ARN of one with ${flag}: ${chosen.choice.join(', ')}` };
  if (asked === '')
    return {
      refusal: `your roles allow no IAM role on ${what}: an administrator grants one with aws_role_arns in a role or in your traits`,
    };
  return { refusal: `no role allows principal ${asked} on ${what}: ${choice}` };
}

export function allowedText(subject: CompiledSubject, server: ServedResource): string {
  const allowed = principalsAllowed(subject, server);
  if (allowed.length === 0) return 'your roles allow none';
  return `your roles allow ${allowed.map((name) => (name === '*' ? 'any role' : name)).join(', ')}`;
}

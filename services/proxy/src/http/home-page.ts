import { escapeHtml, htmlPage } from '#http/pages/page.ts';

/** It offers no CA pin: a page over a connection that is not verified yet is no place to learn one from. */
export function homePage(options: { readonly cluster: string; readonly publicAddress: string }): string {
  const address = escapeHtml(options.publicAddress);
  return htmlPage({
    cluster: options.cluster,
    heading: options.cluster,
    body: `<p>Access to AWS without AWS keys. The console opens here; databases and the API are used with the tools you have, from a terminal.</p>
<p><a class="go" href="/web">Open the AWS console</a></p>
<ol>
<li><h2>In a terminal, sign in</h2>
<pre>tsh login --proxy=${address} --user=<var>NAME</var></pre>
<p class="note">If the certificate cannot be verified, ask the administrator for the CA pin, which <code>tctl status</code> prints, and add <code>--ca-pin=<var>PIN</var></code>.</p></li>
<li><h2>Find a database and its roles, and open a local port</h2>
<pre>tsh db ls
tsh proxy db --tunnel --port 8000 --db-user=<var>ROLE</var> <var>DATABASE</var></pre></li>
<li><h2>In a second terminal, use it</h2>
<pre>aws dynamodb list-tables --endpoint-url=http://localhost:8000</pre>
<p class="note">The tool needs some AWS keys and a region set, whichever they are: they are replaced on the way.</p></li>
<li><h2>Or use the whole AWS API, in every region</h2>
<pre>tsh apps ls
tsh apps login --aws-role=<var>ROLE</var> <var>APPLICATION</var>
tsh aws dynamodb list-tables</pre></li>
</ol>`,
  });
}

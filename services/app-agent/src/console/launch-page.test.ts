import { describe, expect, it } from 'vitest';
import { launchPage } from '#console/launch-page.ts';

const application = { name: 'aws', publicAddress: '', uri: 'https://console.aws.amazon.com/console/home' };
const proxyAddress = 'proxy.example.com:443';

describe('where the console sends its user at the end', () => {
  it('is the page that the proxy names, or the one that the agent can tell', () => {
    expect(launchPage({ asked: 'https://proxy.example.com/web/launch/aws', application, proxyAddress })).toEqual({
      url: 'https://proxy.example.com/web/launch/aws',
    });
    expect(launchPage({ asked: '', application, proxyAddress })).toEqual({ url: 'https://proxy.example.com/web/launch/aws' });
    expect(launchPage({ asked: '', application: { ...application, publicAddress: 'aws.example.com' }, proxyAddress })).toEqual({
      url: 'https://aws.example.com/',
    });
    expect(launchPage({ asked: '', application, proxyAddress: undefined })).toEqual({ url: application.uri });
  });

  it.each([
    'http://proxy.example.com/',
    'https://user@proxy.example.com/',
    'https://proxy.example.com/#x',
    'javascript:alert(1)',
    `https://${'a'.repeat(2000)}`,
  ])('is never %s', (asked) => {
    expect(launchPage({ asked, application, proxyAddress })).toHaveProperty('refusal');
  });
});

// A certified OpenID provider with one client, for tests; see test_oidc_provider.py.
// Argument: the folder whose node_modules has oidc-provider. What it says begins with '> ': first its URL. Each line on
// standard input makes it sign with a new key, beside which the old one is published no more.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const found = createRequire(`${process.argv[2]}/package.json`).resolve('oidc-provider');
const { default: Provider } = await import(pathToFileURL(found));

function signingKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'RS256' };
}

function handlerAt(issuer) {
  const provider = new Provider(issuer, {
    jwks: { keys: [signingKey()] },
    clients: [{
      client_id: 'shop',
      client_secret: 'secret-of-the-shop',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
    }],
    ttl: { ClientCredentials: 600 },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({
          scope: 'products:read',
          audience: 'products',
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  });
  return provider.callback();
}

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  let answer = handlerAt(issuer);
  server.on('request', (request, response) => answer(request, response));
  createInterface({ input: process.stdin }).on('line', () => {
    answer = handlerAt(issuer);
    console.log('> rotated');
  }).on('close', () => process.exit(0));
  console.log(`> ${issuer}`);
});

// Fastify as people write a gateway by hand: @fastify/jwt, @fastify/http-proxy; for this benchmark.
// What stands in braces is filled in by bench/contenders.py.
"use strict";
process.env.NODE_ENV = "production";
module.paths.unshift("@{installed}/node_modules");

const { readFileSync } = require("node:fs");
const fastify = require("fastify");

const KEY = readFileSync("@{key_file}");

const app = fastify({ logger: false });
app.register(require("@fastify/jwt"), {
  secret: "@{algorithm}".startsWith("HS") ? KEY : { public: KEY },
  decode: { complete: false },
  verify: {
    algorithms: ["@{algorithm}"],
    allowedIss: "@{issuer}",
    allowedAud: "@{audience}",
    requiredClaims: ["exp"],
    cache: true,
  },
});
app.register(require("@fastify/http-proxy"), {
  upstream: "http://127.0.0.1:@{upstream_port}",
  prefix: "/api/products",
  rewritePrefix: "/products",
  undici: { connections: 256, pipelining: 1 },
  preHandler: async (request) => request.jwtVerify(),
  replyOptions: {
    rewriteRequestHeaders: (request, headers) => {
      const kept = {};
      for (const name of Object.keys(headers)) {
        if (name !== "authorization" && !name.replaceAll("_", "-").startsWith("x-user-")) {
          kept[name] = headers[name];
        }
      }
      kept["x-user-id"] = request.user.sub;
      kept["x-user-name"] = request.user.username;
      kept["x-user-roles"] = request.user.roles.join(",");
      return kept;
    },
  },
});
app.listen({ port: @{port}, host: "127.0.0.1" });

// Express as people write a gateway by hand: jsonwebtoken, http-proxy-middleware; for this benchmark.
// What stands in braces is filled in by bench/contenders.py.
"use strict";
process.env.NODE_ENV = "production";
module.paths.unshift("@{installed}/node_modules");

const { readFileSync } = require("node:fs");
const { Agent } = require("node:http");
const express = require("express");
const { createProxyMiddleware } = require("http-proxy-middleware");
const jwt = require("jsonwebtoken");

const KEY = readFileSync("@{key_file}");
const CHECKS = { algorithms: ["@{algorithm}"], issuer: "@{issuer}", audience: "@{audience}" };

function authenticate(request, response, next) {
  const [scheme, token] = (request.headers.authorization ?? "").split(" ");
  let claims;
  try {
    if (scheme !== "Bearer") throw new Error("no token");
    claims = jwt.verify(token, KEY, CHECKS);
    if (!claims.exp) throw new Error("no end");
  } catch {
    response.sendStatus(401);
    return;
  }
  for (const name of Object.keys(request.headers)) {
    if (name.replaceAll("_", "-").startsWith("x-user-")) delete request.headers[name];
  }
  delete request.headers.authorization;
  request.headers["x-user-id"] = claims.sub;
  request.headers["x-user-name"] = claims.username;
  request.headers["x-user-roles"] = claims.roles.join(",");
  next();
}

const app = express();
app.disable("x-powered-by");
app.use(
  "/api/products",
  authenticate,
  createProxyMiddleware({
    target: "http://127.0.0.1:@{upstream_port}/products",
    agent: new Agent({ keepAlive: true, maxSockets: 512 }),
  }),
);
app.listen(@{port}, "127.0.0.1");

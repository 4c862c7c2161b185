"use strict";
// fhirclient for Node in an express app, used as its readme shows. Its settings come as JSON in BENCH_PEER; the
// packages lie in the folder that NODE_PATH names. Each answer says in X-Seconds how long the library worked.
const express = require("express");
const session = require("express-session");
const smart = require("fhirclient");
const { randomBytes } = require("node:crypto");

const settings = JSON.parse(process.env.BENCH_PEER);
const app = express();
app.use(session({ secret: randomBytes(32).toString("hex"), resave: false, saveUninitialized: false }));

const now = () => Number(process.hrtime.bigint()) / 1e9;

app.get("/launch", async (request, response, next) => {
  const begun = now();
  const writeHead = response.writeHead.bind(response);
  response.writeHead = (...values) => {
    response.setHeader("X-Seconds", String(now() - begun));
    return writeHead(...values);
  };
  try {
    await smart(request, response).authorize({ ...settings.client, iss: request.query.iss, launch: request.query.launch });
  } catch (error) {
    next(error);
  }
});

app.get("/callback", async (request, response, next) => {
  const begun = now();
  try {
    const client = await smart(request, response).ready();
    if (!client.state.tokenResponse.access_token) throw new Error("no token");
    response.set("X-Seconds", String(now() - begun));
    response.redirect("/done");
  } catch (error) {
    next(error);
  }
});

const server = app.listen(settings.port, "127.0.0.1");
process.on("SIGTERM", () => server.close(() => process.exit(0)) || server.closeAllConnections());

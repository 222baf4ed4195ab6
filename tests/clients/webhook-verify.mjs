// Verifies deliveries with the `standardwebhooks` package: with each secret, and not if anything was changed.

import assert from "node:assert/strict";

import { Webhook } from "standardwebhooks";

import { run, step } from "./common.mjs";

const deliveries = JSON.parse(process.env.DELIVERIES);
const secrets = JSON.parse(process.env.SECRETS);

await run("webhook-verify", async () => {
  assert.ok(deliveries.length > 0);
  for (const { headers, body } of deliveries) {
    for (const secret of secrets) {
      const webhook = new Webhook(secret);
      step(`verify ${headers["webhook-id"]}`);
      assert.deepEqual(webhook.verify(body, headers), JSON.parse(body));
      step("refuse what was changed");
      assert.throws(() => webhook.verify(`${body} `, headers));
      assert.throws(() => webhook.verify(body, { ...headers, "webhook-id": "other" }));
      assert.throws(() => webhook.verify(body, { ...headers, "webhook-timestamp": `${Number(headers["webhook-timestamp"]) - 1}` }));
    }
    step("refuse another secret");
    assert.throws(() => new Webhook("whsec_////////////////////////////////").verify(body, headers));
  }
});

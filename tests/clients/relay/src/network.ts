// A network layer for Relay: queries and mutations over HTTP, subscriptions over WebSocket.

import { type Client, createClient } from "graphql-ws";
import {
  type Environment,
  type GraphQLResponse,
  Network,
  Observable,
  type RequestParameters,
  type Variables,
} from "relay-runtime";
import * as relay from "relay-runtime";

export interface Server {
  url: string;
  token: string;
  webSocketImpl: unknown;
}

export function createEnvironment({ url, token, webSocketImpl }: Server): { environment: Environment; client: Client } {
  const client = createClient({
    url: url.replace(/^http/, "ws"),
    webSocketImpl,
    connectionParams: { Authorization: `Bearer ${token}` },
  });

  async function fetchResponse({ text }: RequestParameters, variables: Variables): Promise<GraphQLResponse> {
    const response = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` },
      body: JSON.stringify({ query: text, variables }),
    });
    return await response.json() as GraphQLResponse;
  }

  function subscribe({ text }: RequestParameters, variables: Variables): Observable<GraphQLResponse> {
    return Observable.create((sink) => client.subscribe({ query: text ?? "", variables }, {
      next: (result) => sink.next(result as GraphQLResponse),
      error: (error) => sink.error(error instanceof Error ? error : new Error(JSON.stringify(error))),
      complete: () => sink.complete(),
    }));
  }

  const environment = new relay.Environment({
    network: Network.create(fetchResponse, subscribe),
    store: new relay.Store(new relay.RecordSource()),
  });
  return { environment, client };
}

// GraphiQL for this server: queries by POST, subscriptions by WebSocket, both at `graphql` beside
// this page, both with what the headers editor says at that moment.

import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import { parse } from "graphql";
import { useMemo, useState } from "react";
import { createRoot } from "react-dom/client";
import { currentHeaders, rememberHeaders, takeToken } from "./credentials.js";
import { storage } from "./storage.js";
import { tabs } from "./tabs.js";
import "graphiql/style.css";
import "./page.css";

/**
 * A fetcher that tells `onHeaders` which headers were used. GraphiQL reads the schema before its
 * headers editor is there; that one request goes out with `headers` instead.
 */
function createFetcher(headers, onHeaders) {
  const url = new URL("graphql", location.href);
  url.hash = url.search = "";
  const subscriptionUrl = url.href.replace(/^http/, "ws");
  const fetcher = createGraphiQLFetcher({ url: url.href, subscriptionUrl, enableIncrementalDelivery: false });
  return (params, options = {}) => {
    if (params.operationName === "IntrospectionQuery") {
      return fetcher(params, { ...options, headers: options.headers ?? JSON.parse(headers) });
    }
    if (options.headers) onHeaders(rememberHeaders(options.headers));
    return fetcher(...upToDate(params, options));
  };
}

/**
 * GraphiQL notices a moment late which operation a changed text holds: right after a change of tabs
 * it names the one before. What the text itself says goes first.
 */
function upToDate(params, options) {
  let documentAST;
  try {
    documentAST = parse(params.query);
  } catch {
    return [params, options]; // The server's message about it is the one to show.
  }
  const operations = documentAST.definitions.filter(({ kind }) => kind === "OperationDefinition");
  const names = operations.map(({ name }) => name?.value);
  const operationName = names.length === 1 ? names[0] : params.operationName;
  return [{ ...params, operationName }, { ...options, documentAST }];
}

function Page() {
  const [headers, setHeaders] = useState(currentHeaders);
  // Other credentials make another fetcher, and with it GraphiQL reads the schema again.
  const fetcher = useMemo(() => createFetcher(headers, setHeaders), [headers]);
  return (
    <GraphiQL
      fetcher={fetcher}
      defaultTabs={tabs}
      defaultHeaders={headers}
      defaultEditorToolsVisibility="headers"
      shouldPersistHeaders={false}
      storage={storage}
    >
      <GraphiQL.Logo>
        <span className="scrollback-title">Scrollback</span>
      </GraphiQL.Logo>
    </GraphiQL>
  );
}

takeToken();
// A link that is opened in a tab that already shows the page changes only the fragment.
addEventListener("hashchange", () => takeToken() && location.reload());
createRoot(document.getElementById("graphiql")).render(<Page />);

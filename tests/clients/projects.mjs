// A subgraph beside Scrollback's: projects that have conversations. It refers to them by their ids only.

import { ApolloServer } from "@apollo/server";
import { startStandaloneServer } from "@apollo/server/standalone";
import { buildSubgraphSchema } from "@apollo/subgraph";
import { parse } from "graphql";

/** `Conversation` gets a field, so it has a resolver here; the others are only referred to. */
export const typeDefs = parse(`
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key", "@shareable"])

  type Query { projects: ProjectConnection! }
  type ProjectConnection { nodes: [Project!]!  pageInfo: PageInfo! }
  type PageInfo @shareable {
    hasNextPage: Boolean!  hasPreviousPage: Boolean!  startCursor: String  endCursor: String
  }
  type Project { name: String!  conversations: [Conversation]!  decision: Message  brief: Attachment  lead: Viewer }
  type Conversation @key(fields: "id") { id: ID!  projectName: String }
  type Message @key(fields: "id", resolvable: false) { id: ID! }
  type Attachment @key(fields: "id", resolvable: false) { id: ID! }
  type Viewer @key(fields: "id", resolvable: false) { id: ID! }
`);

const reference = (id) => id && { id };

/** Starts the subgraph with these projects: names, and the ids of what they refer to. */
export async function startProjects(projects) {
  const resolvers = {
    Query: {
      projects: () => ({
        nodes: projects,
        pageInfo: { hasNextPage: false, hasPreviousPage: false, startCursor: null, endCursor: null },
      }),
    },
    Project: {
      conversations: ({ conversations }) => conversations.map(reference),
      decision: ({ decision }) => reference(decision),
      brief: ({ brief }) => reference(brief),
      lead: ({ lead }) => reference(lead),
    },
    Conversation: {
      projectName: ({ id }) => projects.find(({ conversations }) => conversations.includes(id))?.name,
    },
  };
  const server = new ApolloServer({ schema: buildSubgraphSchema({ typeDefs, resolvers }) });
  return startStandaloneServer(server, { listen: { port: 0, host: "127.0.0.1" } });
}

/** The result and the variables of an operation, as `@graphql-typed-document-node/core` declares them. */
export interface DocumentTypeDecoration<TResult, TVariables> {
  __apiType?: (variables: TVariables) => TResult;
}

/** A GraphQL document whose text is `toString()`: what graphql-codegen generates with `documentMode: "string"`. */
export interface TypedDocument<TResult, TVariables> extends DocumentTypeDecoration<TResult, TVariables> {
  toString(): string;
}

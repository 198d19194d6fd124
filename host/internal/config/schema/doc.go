// Package schema compares a value with a JSON Schema and says in words what is
// wrong.
//
// Takes: a schema, which is foreign, and a value.
//
// Gives: violations, each with its path in the value.
//
// Order and bounds: a schema must be whole; what it refers to is never loaded. No
// violation shows a value, since any may be a secret.
//
// How it stops: it has nothing that runs.
package schema

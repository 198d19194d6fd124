// Package script is the vocabulary in which simnetd is told what to be.
//
// Takes JSON or Go values; gives checked Commands. One Command does one thing, at
// once; a script file is a list of them, and a control connection sends the same
// ones while the network runs. The package has no state and starts nothing.
// The table of all commands is in the README beside the plug.
package script

// Package director carries out the commands of a script on a network.
//
// Takes commands; gives their results when they are done. Most are done at once;
// Generate, Wait and Plug take their time. Order: as called; whoever wants one
// after another waits for each. It keeps nothing and starts nothing: Do ends with
// its context.
package director

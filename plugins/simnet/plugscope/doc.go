// Command plugscope is the plug of simnet under the name "simnet-plugscope". The
// scope of Puts is a fact about a binary, so it takes a second one.
//
// Takes and gives what the plug of simnet does. Order: a running Put holds back the
// events of the whole plug, and not only those of its channel. It is started by the
// host and ends with it.
package main

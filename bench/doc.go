// Command bench measures zoompic against the wire, against other clients and against its own goals. Run it with
// make bench; docs/performance.md says what the numbers mean.
//
// Everything is measured against raw: net/http posting one []byte that was made before, with the same bytes on the wire.
// Clients take turns within a round, a ratio is that of one round, and the table shows the median of all rounds with the
// lowest and the highest. Servers are processes of their own, so that the processor time is the client's alone.
//
// It needs Linux: getrusage, /proc, and a Go that trusts the certificate in SSL_CERT_FILE.
package main

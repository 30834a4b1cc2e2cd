package zoomclient

import "runtime"

// Version is this release of zoompic.
const Version = "0.1.0"

// userAgent names this library, behind the program that uses it.
func userAgent(product string) string {
	agent := "zoompic/" + Version + " (" + runtime.Version() + ")"
	if product == "" {
		return agent
	}
	return product + " " + agent
}

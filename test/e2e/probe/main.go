// A program for images with nothing else in them: what a build step sees of the host, on any platform.
package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"time"
)

func main() {
	switch os.Args[1] {
	case "get": // an address, over the network and with the CAs that the step was given
		answer, err := http.Get(os.Args[2])
		check(err)
		fmt.Printf("PROBE %s uid %d got %d\n", runtime.GOARCH, os.Getuid(), answer.StatusCode)
	case "trust": // whether a text stands in the bundle of CAs
		bundle, err := os.ReadFile(os.Getenv("SSL_CERT_FILE"))
		check(err)
		fmt.Printf("PROBE %s canary %t\n", runtime.GOARCH, bytes.Contains(bundle, []byte(os.Args[2])))
	case "env":
		fmt.Printf("PROBE %s=%s\n", os.Args[2], os.Getenv(os.Args[2]))
	case "sleep":
		fmt.Println("PROBE sleeps")
		time.Sleep(10 * time.Minute)
	}
}

func check(err error) {
	if err != nil {
		fmt.Println("PROBE failed:", err)
		os.Exit(1)
	}
}

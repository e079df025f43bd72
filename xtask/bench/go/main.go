// grpc-go as its users have it, as a server and as a client of the benchmark: default settings.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
)

func main() {
	if len(os.Args) < 2 {
		fail("server or client?")
	}
	role := os.Args[1]
	flags := flag.NewFlagSet(role, flag.ExitOnError)
	options := options{}
	flags.StringVar(&options.address, "address", "", "where the server listens")
	flags.StringVar(&options.shape, "shape", "unary", "what calls look like")
	flags.IntVar(&options.connections, "connections", 1, "connections")
	flags.IntVar(&options.inFlight, "in-flight", 1, "calls in flight on each")
	flags.IntVar(&options.payload, "payload", 64, "bytes of payload")
	flags.IntVar(&options.messages, "messages", 1000, "messages of each stream")
	flags.Float64Var(&options.warmup, "warmup", 0, "seconds")
	flags.Float64Var(&options.seconds, "seconds", 1, "seconds")
	flags.IntVar(&options.serverPid, "server-pid", 0, "the server's process")
	single := flags.Bool("st", false, "one thread")
	_ = flags.Parse(os.Args[2:])
	if *single {
		runtime.GOMAXPROCS(1)
	}
	switch role {
	case "server":
		serve()
	case "client":
		call(options)
	default:
		fail("server or client?")
	}
}

type options struct {
	address, shape                                      string
	connections, inFlight, payload, messages, serverPid int
	warmup, seconds                                     float64
}

func fail(why any) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(1)
}

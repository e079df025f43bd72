package main

import (
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Messages of proto/echo.proto, by standard types that look the same on the wire: a program without a code generator.
type (
	// Message and Blob.
	message = wrapperspb.BytesValue
	// `messages` lies in seconds, `payload_bytes` in nanos.
	order = durationpb.Duration
)

const service = "/bench.Echo/"

// What protoc-gen-go-grpc writes, as far as it is used.
var (
	readyStream    = grpc.StreamDesc{StreamName: "Ready", ServerStreams: true}
	channelStream  = grpc.StreamDesc{StreamName: "Channel", ServerStreams: true}
	downloadStream = grpc.StreamDesc{StreamName: "Download", ServerStreams: true}
	uploadStream   = grpc.StreamDesc{StreamName: "Upload", ClientStreams: true}
	pingPongStream = grpc.StreamDesc{StreamName: "PingPong", ServerStreams: true, ClientStreams: true}
)

func payload(bytes int) []byte {
	filled := make([]byte, bytes)
	for i := range filled {
		filled[i] = 0x5a
	}
	return filled
}

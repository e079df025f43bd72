package main

// The messages of proto/extra.proto, written and read by their numbers: there is no compiler for them here.

import (
	"fmt"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

const service = "/trunkline.interop.ExtraService/"

// raw takes messages as bytes, under the name of what they are.
type raw struct{}

func (raw) Name() string { return "proto" }

func (raw) Marshal(message any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(message.([]byte))}, nil
}

func (raw) Unmarshal(data mem.BufferSlice, message any) error {
	*message.(*[]byte) = data.Materialize()
	return nil
}

func fail(code int, message string, detailBytes int) []byte {
	b := protowire.AppendTag(nil, 1, protowire.VarintType)
	b = protowire.AppendVarint(b, uint64(code))
	b = protowire.AppendTag(b, 2, protowire.BytesType)
	b = protowire.AppendString(b, message)
	b = protowire.AppendTag(b, 3, protowire.VarintType)
	return protowire.AppendVarint(b, uint64(detailBytes))
}

func early(code int) []byte {
	b := protowire.AppendTag(nil, 1, protowire.VarintType)
	b = protowire.AppendVarint(b, uint64(code))
	b = protowire.AppendTag(b, 2, protowire.BytesType)
	return protowire.AppendBytes(b, make([]byte, 64*1024))
}

func chunk(body []byte) []byte {
	b := protowire.AppendTag(nil, 1, protowire.BytesType)
	return protowire.AppendBytes(b, body)
}

func wait(ms int) []byte {
	b := protowire.AppendTag(nil, 1, protowire.VarintType)
	return protowire.AppendVarint(b, uint64(ms))
}

// left reads the one number of a DeadlineReply.
func left(b []byte) (int64, error) {
	number, kind, length := protowire.ConsumeTag(b)
	if length < 0 || number != 1 || kind != protowire.VarintType {
		return 0, fmt.Errorf("no DeadlineReply: %x", b)
	}
	value, length := protowire.ConsumeVarint(b[length:])
	if length < 0 {
		return 0, fmt.Errorf("no DeadlineReply: %x", b)
	}
	return int64(value), nil
}

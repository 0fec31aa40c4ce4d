// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

// The commands of bindings/tests/probe.c, through the binding.
package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"example/backbone"
)

var net *backbone.ResNet

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func integer(word string) int64 { return must(strconv.ParseInt(word, 10, 64)) }

func shape(words []string) (result [4]int64) {
	for i := range result {
		result[i] = integer(words[i])
	}
	return result
}

func numbers(word string) (result []float32) {
	if word == "-" {
		return nil
	}
	for _, part := range strings.Split(word, ",") {
		result = append(result, float32(must(strconv.ParseFloat(part, 32))))
	}
	return result
}

func optional(word string) *string {
	if word == "-" {
		return nil
	}
	return &word
}

func how(words []string) *backbone.LoadOptions {
	return &backbone.LoadOptions{
		Strict:         words[2] == "1",
		Key:            optional(words[3]),
		Prefix:         optional(words[4]),
		AllowMissing:   words[5] == "1",
		IgnoreModules:  words[6] == "1",
		MaxStreamBytes: must(strconv.ParseUint(words[7], 10, 64)),
	}
}

func bits(values []float32) string {
	if values == nil {
		return "-"
	}
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = fmt.Sprint(math.Float32bits(value))
	}
	return strings.Join(texts, ",")
}

func flag(value bool) int {
	if value {
		return 1
	}
	return 0
}

func create(words []string) error {
	options, err := backbone.NewOptions()
	if err != nil {
		return err
	}
	options.Depth = int32(integer(words[1]))
	options.InChannels = int32(integer(words[2]))
	options.BaseChannels = int32(integer(words[3]))
	options.OutStages = uint32(integer(words[4]))
	options.FrozenStages = int32(integer(words[5]))
	options.NormEval = words[6] == "1"
	options.ZeroInitResidual = words[7] == "1"
	options.Threads = int32(integer(words[8]))
	options.ChannelOrder = int32(integer(words[9]))
	options.Arithmetic = int32(integer(words[10]))
	options.Style = int32(integer(words[11]))
	options.NormEps = numbers(words[12])[0]
	options.Mean, options.StdDev = numbers(words[13]), numbers(words[14])
	made, err := backbone.New(options)
	if err == nil {
		net = made
	}
	return err
}

func image(words []string) backbone.Image {
	bytes := must(os.ReadFile(words[7]))
	var image backbone.Image
	if words[1] == "uint8" {
		image = backbone.Uint8(bytes, shape(words[3:]))
	} else {
		floats := make([]float32, len(bytes)/4)
		for i := range floats {
			floats[i] = math.Float32frombits(binary.LittleEndian.Uint32(bytes[4*i:]))
		}
		image = backbone.Float32(floats, shape(words[3:]))
	}
	if words[2] == "nhwc" {
		return image.NHWC()
	}
	return image.NCHW()
}

func write(path string, buffers [][]float32) {
	file := must(os.Create(path))
	defer file.Close()
	for _, buffer := range buffers {
		if err := binary.Write(file, binary.LittleEndian, buffer); err != nil {
			panic(err)
		}
	}
}

func forwardInto(words []string, short int64, most int) ([][]float32, error) {
	shapes, err := net.OutputShapes(shape(words[3:]))
	if err != nil {
		return nil, err
	}
	var out [][]float32
	for i, sizes := range shapes {
		if i < most {
			out = append(out, make([]float32, sizes[0]*sizes[1]*sizes[2]*sizes[3]-short))
		}
	}
	return out, net.ForwardInto(image(words), out)
}

func small() *backbone.ResNet {
	options := must(backbone.NewOptions())
	options.Depth, options.BaseChannels = 18, 4
	return must(backbone.New(options))
}

func black() backbone.Image { return backbone.Float32(make([]float32, 3*8*8), [4]int64{1, 3, 8, 8}) }

// Networks that are lost with their first forward, while another goroutine collects.
func churn(words []string) string {
	var done atomic.Bool
	ended := make(chan bool)
	go func() {
		for !done.Load() {
			runtime.GC()
		}
		ended <- true
	}()
	for i := int64(0); i < integer(words[1]); i++ {
		must(small().Forward(black()))
	}
	done.Store(true)
	<-ended
	runtime.GC()
	time.Sleep(50 * time.Millisecond) // finalizers have a goroutine of their own
	return "churned " + words[1]
}

func race() string {
	net := small()
	result := make(chan int, 1)
	go func() { result <- len(must(net.Forward(black()))) }()
	time.Sleep(200 * time.Millisecond)
	net.Close()
	when := "during"
	if len(result) > 0 {
		when = "after"
	}
	return fmt.Sprintf("closed %s the call\nthe call gave %d features", when, <-result)
}

func run(words []string) (string, error) {
	switch words[0] {
	case "open":
		return "ok", backbone.Load(words[1])
	case "version":
		version, err := backbone.Version()
		return fmt.Sprintf("version %s abi %d", version, backbone.ABIVersion), err
	case "create":
		return "created", create(words)
	case "from_file":
		made, report, err := backbone.FromFile(words[1], nil, how(words))
		if err == nil {
			net = made
		}
		return "created report " + report, err
	case "options":
		o, err := net.Options()
		if err != nil {
			return "", err
		}
		return fmt.Sprintln("options", o.Depth, o.InChannels, o.BaseChannels, o.OutStages, o.FrozenStages,
			flag(o.NormEval), flag(o.ZeroInitResidual), o.Threads, o.ChannelOrder, o.Arithmetic, o.Style,
			bits([]float32{o.NormEps}), bits(o.Mean), bits(o.StdDev)), nil
	case "init":
		return "ok", net.InitWeights(uint64(integer(words[1])))
	case "load":
		report, err := net.LoadWeights(words[1], how(words))
		return "ok report " + report, err
	case "save":
		return "ok", net.SaveWeights(words[1])
	case "freeze":
		return "ok", net.Freeze(int32(integer(words[1])))
	case "training":
		if err := net.SetTraining(words[1] == "1"); err != nil {
			return "", err
		}
		training, err := net.Training()
		return fmt.Sprintf("training %d", flag(training)), err
	case "shapes":
		shapes, err := net.OutputShapes(shape(words[1:]))
		return "shapes " + strings.NewReplacer("[", "", "]", "").Replace(fmt.Sprint(shapes)), err
	case "forward":
		features, err := net.Forward(image(words))
		buffers := make([][]float32, len(features))
		for i, feature := range features {
			buffers[i] = feature.Data
		}
		write(words[8], buffers)
		return "ok", err
	case "forward_into":
		out, err := forwardInto(words, 0, 4)
		write(words[8], out)
		return "ok", err
	case "forward_short":
		_, err := forwardInto(words, 1, 4)
		return "ok", err
	case "forward_fewer":
		_, err := forwardInto(words, 0, 1)
		return "ok", err
	case "churn":
		return churn(words), nil
	case "race":
		return race(), nil
	case "close":
		return "closed", net.Close()
	}
	panic("no command " + words[0])
}

func main() {
	input := bufio.NewReader(os.Stdin)
	for {
		line, end := input.ReadString('\n')
		if end == io.EOF {
			return
		}
		text, err := run(strings.Fields(line))
		var failure *backbone.Error
		if errors.As(err, &failure) {
			text = fmt.Sprintf("error %d %s", failure.Status, failure.Message)
			if failure.Report != "" {
				text += " report " + failure.Report
			}
		} else if err != nil {
			panic(err)
		}
		fmt.Println(strings.TrimRight(text, "\n"))
	}
}

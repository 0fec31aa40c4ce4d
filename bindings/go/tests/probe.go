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
		Head:           int32(integer(words[8])),
	}
}

func list(text string) (result []int32) {
	for _, part := range strings.Split(text, ",") {
		result = append(result, int32(integer(part)))
	}
	return result
}

func listed(values []int32) string {
	if values == nil {
		return "-"
	}
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(values), "[]"), " ", ",")
}

// The fields that `build` and `from_file` set; the new ones are those that `options` prints.
func fields(o *backbone.Options) (old, more map[string]any, order []any) {
	old = map[string]any{
		"depth":         &o.Depth,
		"in_channels":   &o.InChannels,
		"base_channels": &o.BaseChannels,
		"out_stages":    &o.OutStages,
		"threads":       &o.Threads,
		"architecture":  &o.Architecture, "block_widths": &o.BlockWidths, "block_counts": &o.BlockCounts,
	}
	more = map[string]any{
		"num_classes":     &o.NumClasses,
		"output_stride":   &o.OutputStride,
		"dilated_stages":  &o.DilatedStages,
		"dilation_rule":   &o.DilationRule,
		"block":           &o.Block,
		"groups":          &o.Groups,
		"width_per_group": &o.WidthPerGroup,
		"stem":            &o.Stem,
		"stem_channels":   &o.StemChannels,
		"stem_pooling":    &o.StemPooling,
		"shortcut":        &o.Shortcut,
		"norm":            &o.Norm,
		"attention":       &o.Attention,
		"anti_aliasing":   &o.AntiAliasing,
		"preactivation":   &o.Preactivation,
	}
	order = []any{
		o.NumClasses, o.OutputStride, o.DilatedStages, o.DilationRule, o.Block, o.Groups, o.WidthPerGroup, o.Stem,
		o.StemChannels, o.StemPooling, o.Shortcut, o.Norm, o.Attention, o.AntiAliasing, o.Preactivation,
		listed(o.BlockCounts[:]), listed(o.BlockWidths), o.Architecture,
	}
	return old, more, order
}

// The defaults with what the words say.
func given(words []string) (*backbone.Options, error) {
	options, err := backbone.NewOptions()
	if err != nil {
		return nil, err
	}
	old, more, _ := fields(options)
	for _, word := range words {
		name, value, _ := strings.Cut(word, "=")
		field := old[name]
		if field == nil {
			field = more[name]
		}
		switch field := field.(type) {
		case *int32:
			*field = int32(integer(value))
		case *uint32:
			*field = uint32(integer(value))
		case *string:
			*field = value
		case *[]int32:
			*field = list(value)
		case *[4]int32:
			copy(field[:], list(value))
		default:
			panic("no field " + name)
		}
	}
	return options, nil
}

func build(words []string) error {
	options, err := given(words[1:])
	if err != nil {
		return err
	}
	made, err := backbone.New(options)
	if err == nil {
		net = made
	}
	return err
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

// A depth that is not given is 0: its default would contradict the name.
func named(words []string) error {
	options, err := backbone.NewOptions()
	if err != nil {
		return err
	}
	options.Depth, options.BaseChannels, options.Threads = 0, 4, 2
	if words[1] != "-" {
		options.Architecture = words[1]
	}
	if words[2] != "-" {
		options.Depth = int32(integer(words[2]))
	}
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

// Objects that are lost with their first use, while another goroutine collects.
func collecting(count int64, use func()) string {
	var done atomic.Bool
	ended := make(chan bool)
	go func() {
		for !done.Load() {
			runtime.GC()
		}
		ended <- true
	}()
	for i := int64(0); i < count; i++ {
		use()
	}
	done.Store(true)
	<-ended
	runtime.GC()
	time.Sleep(50 * time.Millisecond) // finalizers have a goroutine of their own
	return fmt.Sprint("churned ", count)
}

func churn(words []string) string {
	return collecting(integer(words[1]), func() { must(small().Forward(black())) })
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

func cancel(words []string) (string, error) {
	result := make(chan error, 1)
	go func() {
		_, err := net.Forward(image(words))
		result <- err
	}()
	for {
		select {
		case err := <-result:
			return "not cancelled", err
		case <-time.After(time.Millisecond):
			net.Cancel()
		}
	}
}

var (
	tape         *backbone.Tape
	optimizer    *backbone.Optimizer
	inputShape   [4]int64
	features     []backbone.Feature
	lossGradient *backbone.Feature
	gradients    []float32
)

func float(word string) float64 { return must(strconv.ParseFloat(word, 64)) }

func newOptimizer(words []string) error {
	o, err := backbone.NewOptimizerOptions(int32(integer(words[1])))
	if err != nil {
		return err
	}
	o.Nesterov = words[2] == "1"
	fields := []*float64{&o.Momentum, &o.Dampening, &o.Beta1, &o.Beta2, &o.Epsilon, &o.WeightDecay}
	for i, field := range fields {
		if words[3+i] != "-" {
			*field = float(words[3+i])
		}
	}
	for _, word := range words[9:] {
		parts := strings.Split(word, ":")
		o.Groups = append(o.Groups, backbone.ParameterGroup{
			Prefix:             strings.TrimPrefix(parts[0], "-"),
			Kinds:              uint32(integer(parts[1])),
			LearningRateFactor: float(parts[2]),
			WeightDecay:        float(parts[3]),
		})
	}
	made, err := net.NewOptimizer(o)
	if err == nil {
		optimizer = made
	}
	return err
}

func givenGradients(words []string) []*backbone.Feature {
	given := make([]*backbone.Feature, len(features))
	for i := range features {
		if words[1] == "features" {
			given[i] = &features[i]
		}
	}
	if words[1] == "loss" {
		given[len(given)-1] = lossGradient
	}
	return given
}

func featureGradients(words []string, less, most int) error {
	wanted := make([]*backbone.Feature, len(features))
	var buffers [][]float32
	for i, feature := range features {
		if words[2][i] == '1' {
			wanted[i] = &backbone.Feature{Data: make([]float32, len(feature.Data)-less), Shape: feature.Shape}
			buffers = append(buffers, wanted[i].Data)
		}
	}
	if most < len(wanted) {
		wanted = wanted[:most]
	}
	if err := net.FeatureGradients(tape, givenGradients(words), wanted); err != nil {
		return err
	}
	write(words[3], buffers)
	return nil
}

func backward(words []string, withInput bool) error {
	given := givenGradients(words)
	if words[2] == "0" {
		gradients = make([]float32, must(net.TrainableCount()))
	}
	var input *backbone.Feature
	var buffers [][]float32
	if withInput {
		size := inputShape[0] * inputShape[1] * inputShape[2] * inputShape[3]
		input = &backbone.Feature{Data: make([]float32, size), Shape: inputShape}
		buffers = append(buffers, input.Data)
	}
	if err := net.Backward(tape, given, input, gradients, words[2] == "1"); err != nil {
		return err
	}
	write(words[3], append(buffers, gradients))
	return nil
}

func churnTraining(words []string) string {
	return collecting(integer(words[1]), func() {
		net := small()
		batch := backbone.Float32(make([]float32, 3*32*32), [4]int64{1, 3, 32, 32})
		must(net.ForwardTrain(must(net.NewTape(nil)), batch))
		optimizer := must(net.NewOptimizer(must(backbone.NewOptimizerOptions(backbone.OptimizerSGD))))
		if err := net.Step(optimizer, make([]float32, must(net.TrainableCount())), 0, false); err != nil {
			panic(err)
		}
	})
}

func train(words []string) (string, error) {
	switch words[0] {
	case "trainable":
		if err := net.SetTrainable(int32(integer(words[1]))); err != nil {
			return "", err
		}
		count, err := net.TrainableCount()
		return fmt.Sprint("trainable ", count), err
	case "slot":
		offset, count, err := net.TrainableSlot(int(integer(words[1])))
		return fmt.Sprintf("slot %d %d", offset, count), err
	case "tape":
		made, err := net.NewTape(&backbone.TapeOptions{InputGradient: words[1] == "1", Retain: words[2] == "1"})
		tape = made
		return "ok", err
	case "forward_train":
		made, err := net.ForwardTrain(tape, image(words))
		if err != nil {
			return "", err
		}
		features, inputShape = made, shape(words[3:])
		var buffers [][]float32
		for _, feature := range features {
			buffers = append(buffers, feature.Data)
		}
		write(words[8], buffers)
		return "ok", nil
	case "bytes":
		bytes, err := net.TapeBytes(tape)
		return fmt.Sprint("bytes ", bytes), err
	case "loss":
		var labels []int64
		for _, label := range strings.Split(words[1], ",") {
			labels = append(labels, integer(label))
		}
		loss, gradient, err := backbone.CrossEntropy(features[len(features)-1], labels, float(words[2]))
		lossGradient = gradient
		return fmt.Sprint("loss ", math.Float64bits(loss)), err
	case "backward":
		return "ok", backward(words, false)
	case "backward_input":
		return "ok", backward(words, true)
	case "feature_gradients":
		return "ok", featureGradients(words, 0, 7)
	case "feature_gradients_short":
		return "ok", featureGradients(words, 1, 7)
	case "feature_gradients_fewer":
		return "ok", featureGradients(words, 0, 1)
	case "clip":
		norm, err := net.ClipGradients(gradients, float(words[1]))
		return fmt.Sprint("norm ", math.Float64bits(norm)), err
	case "optimizer":
		return "ok", newOptimizer(words)
	case "step":
		return "ok", net.Step(optimizer, gradients, float(words[1]), words[2] == "1")
	case "spoil":
		gradients[0] = float32(math.Inf(1))
		return "ok", nil
	case "follow":
		return "ok", net.Follow(optimizer)
	case "parameters":
		gradients = make([]float32, must(net.TrainableCount()))
		if err := net.ReadTrainable(gradients); err != nil {
			return "", err
		}
		write(words[1], [][]float32{gradients})
		return "ok", net.WriteTrainable(gradients)
	case "save_training":
		return "ok", net.SaveTraining(optimizer, words[1], float(words[2]))
	case "load_training":
		report, err := net.LoadTraining(optimizer, words[1])
		return "ok report " + report, err
	case "save_as":
		return "ok", net.SaveWeightsWith(words[1], words[2])
	case "free":
		if words[1] == "tape" {
			return "ok", tape.Close()
		}
		return "ok", optimizer.Close()
	case "churn_training":
		return churnTraining(words), nil
	}
	panic("no command " + words[0])
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
	case "named":
		return "created", named(words)
	case "build":
		return "created", build(words)
	case "architectures":
		names, err := backbone.Architectures()
		return "architectures " + strings.Join(names, " "), err
	case "from_file":
		options, err := given(words[9:])
		if err != nil {
			return "", err
		}
		made, report, err := backbone.FromFile(words[1], options, how(words))
		if err == nil {
			net = made
		}
		return "created report " + report, err
	case "options":
		o, err := net.Options()
		if err != nil {
			return "", err
		}
		_, _, order := fields(o)
		first := fmt.Sprint(fmt.Sprintln("options", o.Depth, o.InChannels, o.BaseChannels, o.OutStages, o.FrozenStages,
			flag(o.NormEval), flag(o.ZeroInitResidual), o.Threads, o.ChannelOrder, o.Arithmetic, o.Style,
			bits([]float32{o.NormEps}), bits(o.Mean), bits(o.StdDev)))
		return strings.TrimSpace(first) + " " + fmt.Sprintln(order...), nil
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
		out, err := forwardInto(words, 0, 7)
		write(words[8], out)
		return "ok", err
	case "forward_short":
		_, err := forwardInto(words, 1, 7)
		return "ok", err
	case "forward_fewer":
		_, err := forwardInto(words, 0, 1)
		return "ok", err
	case "churn":
		return churn(words), nil
	case "race":
		return race(), nil
	case "cancel":
		return cancel(words)
	case "close":
		return "closed", net.Close()
	}
	return train(words)
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

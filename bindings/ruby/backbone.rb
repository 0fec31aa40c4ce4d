# frozen_string_literal: true

# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

require "fiddle/import"

# libbackbone for Ruby: the features C2 to C5 of a ResNet, on a CPU, from the checkpoints that PyTorch wrote.
#
# This file is the whole binding, and needs Ruby 3.1 with its fiddle alone. The library is opened by the first call, as
# the file that `Backbone.load` names, else as the one that the environment variable BACKBONE_LIBRARY names, else as
# libbackbone.so.1 by the system's loader.
#
# Shapes are always in the order N, C, H, W, whatever the order in memory. A network is freed by `close`, at the end of
# the block of `ResNet.open`, or when it is collected. Threads may share one: forwards in evaluation mode run side by
# side, without Ruby's lock, what changes the network waits until it has it alone, and `close` waits for the last call.
# Every failure of the library is a Backbone::Error with its own message.
module Backbone
  ABI_VERSION = 1

  STATUS_INVALID_ARGUMENT = 1
  STATUS_OUT_OF_MEMORY = 2
  STATUS_FILE_NOT_FOUND = 3
  STATUS_IO = 4
  STATUS_BAD_CHECKPOINT = 5
  STATUS_MISMATCH = 6

  STAGE_C2 = 1
  STAGE_C3 = 2
  STAGE_C4 = 4
  STAGE_C5 = 8
  STAGE_ALL = 15

  CHANNELS_AS_GIVEN = 0
  CHANNELS_REVERSED = 1
  NORMALIZE_UINT8 = 0
  NORMALIZE_ALL = 1

  ARITHMETIC_FAST = 0
  ARITHMETIC_DIRECT = 1

  STYLE_PYTORCH = 0
  STYLE_CAFFE = 1

  IMAGENET_MEAN = [123.675, 116.28, 103.53].freeze
  IMAGENET_STD_DEV = [58.395, 57.12, 57.375].freeze

  # What went wrong, in the library's words.
  class Error < StandardError
    # One of STATUS_*; STATUS_IO where the library cannot be used.
    attr_reader :status
    # The report of a load that was refused because the checkpoint does not fit (STATUS_MISMATCH), as JSON, or nil.
    attr_reader :report

    def initialize(message, status = STATUS_INVALID_ARGUMENT, report = nil)
      super(message)
      @status = status
      @report = report
    end
  end

  # An image: what `float32` and `uint8` return.
  Image = Struct.new(:data, :dtype, :shape, :layout)

  # A feature: `data` is a String of floats, NCHW, and `shape` is [N, C, H, W].
  Feature = Struct.new(:data, :shape) do
    # The elements as an Array of Float.
    def to_a = data.unpack("e*")
  end

  # Elements that the network takes as they are: a String of floats (`array.pack("e*")`), which is not copied.
  # `layout` is their order in memory, :nchw or :nhwc.
  def self.float32(data, shape, layout: :nchw) = Image.new(data, C::DTYPE_FLOAT32, shape, layout)

  # Pixels of which the network computes (x - mean) / std_dev: a String of bytes. `shape` is [N, C, H, W] all the same.
  def self.uint8(data, shape, layout: :nhwc) = Image.new(data, C::DTYPE_UINT8, shape, layout)

  # Opens the library, which no call before this one may have done; without a path as every first call looks for it.
  def self.load(path = nil) = C.load(path)

  # The version of the library, "major.minor.patch".
  def self.version = C.call(:version_string).to_s

  # What is used of backbone.h, as it is there, and where the library is found.
  module C
    extend Fiddle::Importer

    DTYPE_FLOAT32 = 0
    DTYPE_UINT8 = 1

    Options = struct [
      "uint32_t struct_size", "int32_t depth", "int32_t in_channels", "int32_t base_channels", "uint32_t out_stages",
      "int32_t frozen_stages", "int32_t norm_eval", "int32_t zero_init_residual", "int32_t threads",
      "int32_t channel_order", "void *mean", "void *std_dev", "int32_t arithmetic", "int32_t style", "float norm_eps",
      "int32_t reserved", "int32_t normalization", "int32_t reserved2"
    ]
    LoadOptions = struct [
      "uint32_t struct_size", "int32_t strict", "void *key", "void *prefix", "int32_t input_channels",
      "int32_t channel_map_length", "void *channel_map", "int32_t allow_missing", "int32_t ignore_modules",
      "uint64_t max_stream_bytes"
    ]
    Tensor = struct [
      "void *data", "int32_t dtype", "int32_t reserved", "int64_t shape[4]", "int64_t strides[4]"
    ]

    POINTER = Fiddle::TYPE_VOIDP
    INT32 = Fiddle::TYPE_INT
    UINT64 = -Fiddle::TYPE_LONG_LONG
    SIZE = Fiddle::TYPE_SIZE_T
    VOID = Fiddle::TYPE_VOID

    SIGNATURES = {
      version_string: [POINTER, []],
      last_error_message: [POINTER, []],
      options_init: [INT32, [POINTER, SIZE]],
      create: [INT32, [POINTER, POINTER]],
      free: [VOID, [POINTER]],
      get_options: [INT32, [POINTER, POINTER]],
      init_weights: [INT32, [POINTER, UINT64]],
      load_options_init: [INT32, [POINTER, SIZE]],
      load_weights_with: [INT32, [POINTER, POINTER, POINTER, POINTER]],
      create_from_file: [INT32, [POINTER, POINTER, POINTER, POINTER, POINTER]],
      save_weights: [INT32, [POINTER, POINTER]],
      report_to_json: [INT32, [POINTER, POINTER]],
      report_free: [VOID, [POINTER]],
      freeze: [INT32, [POINTER, INT32]],
      set_training: [INT32, [POINTER, INT32]],
      get_training: [INT32, [POINTER, POINTER]],
      output_shapes: [INT32, [POINTER, POINTER, POINTER, SIZE]],
      forward: [INT32, [POINTER, POINTER, POINTER, SIZE]]
    }.freeze

    @lock = Mutex.new
    @functions = nil
    @place = nil

    def self.load(path)
      @lock.synchronize do
        if @functions
          raise Error.new("libbackbone is loaded already, from #{@place}", STATUS_IO) if path

          return
        end
        variable = ENV["BACKBONE_LIBRARY"].to_s
        place = path&.to_s || (variable.empty? ? "libbackbone.so.#{ABI_VERSION}" : variable)
        @functions = functions_of(place)
        @place = place
      end
    end

    def self.functions_of(place)
      library = begin
        Fiddle.dlopen(place)
      rescue Fiddle::DLError => e
        raise Error.new("libbackbone cannot be loaded: #{e.message}. It is looked for as the file that load() names, " \
                        "as the one that the environment variable BACKBONE_LIBRARY names, and as " \
                        "libbackbone.so.#{ABI_VERSION} by the system's loader.", STATUS_IO)
      end
      symbol = lambda do |name|
        library["backbone_#{name}"]
      rescue Fiddle::DLError
        raise Error.new("#{place} is no libbackbone: it lacks backbone_#{name}", STATUS_IO)
      end
      # Asked before anything else: another ABI may lack the other functions.
      found = Fiddle::Function.new(symbol.call(:abi_version), [], INT32).call
      if found != ABI_VERSION
        raise Error.new("#{place} has ABI version #{found}; this binding needs #{ABI_VERSION}", STATUS_IO)
      end

      # Fiddle gives up Ruby's lock during each call.
      SIGNATURES.to_h { |name, (result, arguments)| [name, Fiddle::Function.new(symbol.call(name), arguments, result)] }
    end

    # A function of the library; the first call opens it.
    def self.call(name, *arguments)
      load(nil) unless @functions
      @functions.fetch(name).call(*arguments)
    end

    # A function that may fail. The message is of this thread, which calls nothing in between.
    def self.check(name, *arguments)
      status = call(name, *arguments)
      raise Error.new(call(:last_error_message).to_s.force_encoding("UTF-8"), status) unless status.zero?
    end

    # A string as C takes it; C would take a zero byte for its end.
    def self.text(label, value)
      value = value.respond_to?(:to_path) ? value.to_path : String(value)
      raise Error, "#{label} contains a zero byte" if value.include?("\0")

      "#{value}\0"
    end

    def self.int32(label, value)
      return value ? 1 : 0 if value.equal?(true) || value.equal?(false)
      return value if value.is_a?(Integer) && value.between?(-2**31, 2**31 - 1)

      raise Error, "#{label} is #{value.inspect}; it must be an Integer of 32 bits"
    end

    INTEGERS = %i[
      depth in_channels base_channels out_stages frozen_stages norm_eval zero_init_residual threads channel_order
      arithmetic style normalization
    ].freeze

    # The struct for a Hash of options, and what it points to.
    def self.options(given)
      unknown = given.keys - INTEGERS - %i[norm_eps mean std_dev]
      raise ArgumentError, "unknown option: #{unknown.first}" unless unknown.empty?

      options = Options.malloc(Fiddle::RUBY_FREE)
      check(:options_init, options, Options.size)
      INTEGERS.each { |name| options[name.to_s] = int32(name, given[name]) if given.key?(name) }
      options.norm_eps = given[:norm_eps] if given.key?(:norm_eps)
      anchors = %i[mean std_dev].map do |name|
        values = given[name] or next
        if values.size != options.in_channels
          raise Error, "#{name} has #{values.size} values; it must have one for each of in_channels, " \
                       "#{options.in_channels}"
        end
        options[name.to_s] = Fiddle::Pointer[values.pack("e*")]
      end
      [options, anchors]
    end

    LOADING = %i[strict key prefix allow_missing ignore_modules max_stream_bytes].freeze

    # Calls a function with a Hash of options for loading; the report as JSON.
    def self.loading(given)
      unknown = given.keys - LOADING
      raise ArgumentError, "unknown option: #{unknown.first}" unless unknown.empty?

      key, prefix = %i[key prefix].map { |name| given[name] && Fiddle::Pointer[text(name, given[name])] }
      options = LoadOptions.malloc(Fiddle::RUBY_FREE)
      check(:load_options_init, options, LoadOptions.size)
      options.strict = given[:strict] ? 1 : 0
      options.key = key
      options.prefix = prefix
      options.allow_missing = given[:allow_missing] ? 1 : 0
      options.ignore_modules = given[:ignore_modules] ? 1 : 0
      options.max_stream_bytes = given[:max_stream_bytes] || 0
      report = new_pointer
      begin
        yield options, report
        json(report)
      rescue Error => e
        raise e if report.ptr.null?

        raise Error.new(e.message, e.status, json(report))
      ensure
        call(:report_free, report.ptr)
      end
    end

    def self.json(report)
      out = new_pointer
      check(:report_to_json, report.ptr, out)
      out.ptr.to_s.force_encoding("UTF-8")
    end

    # Room for a pointer, NULL.
    def self.new_pointer
      pointer = Fiddle::Pointer.malloc(Fiddle::SIZEOF_VOIDP, Fiddle::RUBY_FREE)
      pointer[0, Fiddle::SIZEOF_VOIDP] = "\0" * Fiddle::SIZEOF_VOIDP
      pointer
    end

    # The bytes of a backbone_tensor.
    def self.tensor(data, dtype, shape, layout)
      _, c, h, w = shape
      strides = { nchw: [c * h * w, h * w, w, 1], nhwc: [h * w * c, 1, w * c, c] }.fetch(layout)
      [data.to_i, dtype, 0, *shape, *strides].pack("Ql2q8")
    end

    def self.check_count(label, data, item, shape)
      needed = shape.inject(:*)
      return if data.size == needed * item

      raise Error, "#{label} has #{data.size / item} elements; shape (#{shape.join(', ')}) needs #{needed}"
    end
  end
  private_constant :C

  # A `backbone *` that is freed when it is closed and the last call has left it.
  class Handle
    # Pointers of networks that were collected. A finalizer runs anywhere, also between a failure and its message, and
    # may neither call the library nor lock: the next one that uses a network frees them.
    @collected = Queue.new

    # What is called when the owner is collected.
    def self.finalizer(pointer, closed)
      collected = @collected
      proc { collected << pointer unless closed.first }
    end

    def self.free_collected
      C.call(:free, @collected.pop(true)) until @collected.empty?
    rescue ThreadError
      nil # another thread was faster
    end

    def initialize(pointer, owner)
      Handle.free_collected
      @pointer = pointer
      @calls = 0
      @closed = [false] # of its own: the finalizer must not know the owner, which would else never be collected
      @lock = Mutex.new
      ObjectSpace.define_finalizer(owner, Handle.finalizer(pointer, @closed))
    end

    # The pointer, for the time of a block.
    def use
      Handle.free_collected
      @lock.synchronize do
        raise Error, "this ResNet is closed" if @closed.first

        @calls += 1
      end
      begin
        yield @pointer
      ensure
        last = @lock.synchronize { (@calls -= 1).zero? && @closed.first }
        C.call(:free, @pointer) if last
      end
    end

    def close
      last = @lock.synchronize do
        open = !@closed.first
        @closed[0] = true
        open && @calls.zero?
      end
      C.call(:free, @pointer) if last
    end
  end
  private_constant :Handle

  # A ResNet without its pooling and classifier, in evaluation mode until `training=`.
  class ResNet
    # A network with random weights, those of `init_weights(0)`.
    #
    # Options are the fields of backbone_options, with the library's defaults: depth (50), in_channels (3),
    # base_channels, out_stages, frozen_stages, norm_eval, zero_init_residual, threads, channel_order, arithmetic,
    # style, norm_eps, normalization, and mean and std_dev, an Array of a number for each channel.
    def initialize(**options)
      struct, _anchors = C.options(options)
      out = C.new_pointer
      C.check(:create, struct, out)
      own(out.ptr)
    end

    # A network for the time of a block.
    def self.open(**options)
      net = new(**options)
      begin
        yield net
      ensure
        net.close
      end
    end

    # The network that a checkpoint describes, with its weights, and the report of the load as JSON: [net, report].
    #
    # Options are as for load_weights and for `new`; depth, base_channels and in_channels are the file's.
    def self.from_file(path, **options)
      path = C.text("path", path)
      given, rest = options.partition { |name, _| C::LOADING.include?(name) }.map(&:to_h)
      struct, _anchors = C.options(rest)
      out = C.new_pointer
      report = C.loading(given) do |how, out_report|
        C.check(:create_from_file, path, struct, how, out, out_report)
      end
      net = allocate
      net.send(:own, out.ptr)
      [net, report]
    end

    # Frees the network as soon as no call is in progress; may be called again. Every other method then fails.
    def close = @handle.close

    # Draws new weights, which are the same for the same seed.
    def init_weights(seed = 0)
      @handle.use { |net| C.check(:init_weights, net, seed) }
      self
    end

    # Loads a .pth, a pickle of arrays or a safetensors file, and returns a report of what was found, as JSON.
    #
    # A failed load changes nothing; the error for a file that does not fit has the report. Options: `strict` (names
    # that the network lacks are errors), `allow_missing` (weights that the file lacks keep their values),
    # `ignore_modules` (modules that the network does not compute are left out), `key`, `prefix` and `max_stream_bytes`
    # (see backbone.h).
    def load_weights(path, **options)
      path = C.text("path", path)
      @handle.use do |net|
        C.loading(options) { |how, report| C.check(:load_weights_with, net, path, how, report) }
      end
    end

    # Writes the weights, as a .pth or as safetensors, by the ending of the path.
    def save_weights(path)
      path = C.text("path", path)
      @handle.use { |net| C.check(:save_weights, net, path) }
      self
    end

    # Freezes the stem (0), the stem and the first 1 to 4 stages, or nothing (-1).
    def freeze_stages(frozen_stages)
      @handle.use { |net| C.check(:freeze, net, C.int32("frozen_stages", frozen_stages)) }
      self
    end

    # Enters or leaves training mode.
    def training=(training)
      @handle.use { |net| C.check(:set_training, net, training ? 1 : 0) }
    end

    # Whether the network is in training mode.
    def training?
      value = C.new_pointer
      @handle.use { |net| C.check(:get_training, net, value) }
      value[0, 4].unpack1("l") == 1
    end

    # The options as they stand now, as `new` takes them, with the number of threads in use.
    def options
      struct = C::Options.malloc(Fiddle::RUBY_FREE)
      struct.struct_size = C::Options.size
      @handle.use do |net|
        C.check(:get_options, net, struct)
        result = C::INTEGERS.to_h { |name| [name, struct[name.to_s]] }
        %i[norm_eval zero_init_residual].each { |name| result[name] = result[name] == 1 }
        result[:norm_eps] = struct.norm_eps
        %i[mean std_dev].each do |name|
          values = struct[name.to_s]
          result[name] = values[0, 4 * struct.in_channels].unpack("e*") unless values.null?
        end
        result
      end
    end

    # The shapes [N, C, H, W] of the features of images of a shape [N, C, H, W], from C2 to C5.
    def output_shapes(shape) = @handle.use { |net| shapes(net, shape) }

    # The features of a batch of images, from C2 to C5: an Array of Feature.
    def forward(image)
      @handle.use do |net|
        shapes = shapes(net, image.shape)
        # Nobody else knows these strings yet, so that they stay where they are.
        features = shapes.map { |shape| Feature.new("\0".b * (4 * shape.inject(:*)), shape) }
        compute(net, image, shapes, features.map { |feature| Fiddle::Pointer[feature.data] })
        features
      end
    end

    # Computes the features into the caller's memory: a Fiddle::Pointer with a size for each of output_shapes, NCHW.
    def forward_into(image, out)
      @handle.use do |net|
        shapes = shapes(net, image.shape)
        compute(net, image, shapes, out)
      end
      out
    end

    private

    def own(pointer)
      @handle = Handle.new(pointer, self)
      @stages = options[:out_stages].digits(2).sum
    end

    def shapes(net, shape)
      raise Error, "the shape must be an Array of N, C, H and W" unless shape.is_a?(Array) && shape.size == 4

      rows = "\0".b * (32 * @stages)
      C.check(:output_shapes, net, shape.pack("q4"), rows, @stages)
      rows.unpack("q*").each_slice(4).to_a
    end

    def compute(net, image, shapes, out)
      # A copy that shares the memory, but that no other thread can change while Ruby's lock is given up.
      pixels = String.new(image.data)
      data = Fiddle::Pointer[pixels]
      C.check_count("the input", data, image.dtype == C::DTYPE_FLOAT32 ? 4 : 1, image.shape)
      raise Error, "out has #{out.size} buffers; this network gives #{@stages}" if out.size != @stages

      outputs = out.zip(shapes).each_with_index.map do |(buffer, shape), index|
        C.check_count("out[#{index}]", buffer, 4, shape)
        C.tensor(buffer, C::DTYPE_FLOAT32, shape, :nchw)
      end
      C.check(:forward, net, C.tensor(data, image.dtype, image.shape, image.layout), outputs.join, @stages)
    end
  end
end

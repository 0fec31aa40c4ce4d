# frozen_string_literal: true

# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

require "fiddle/import"

# libbackbone for Ruby: features, logits and gradients of a ResNet, on a CPU, from PyTorch checkpoints.
#
# This file is the whole binding, and needs Ruby 3.1 with its fiddle alone. The library is opened by the first call, as
# the file that `Backbone.load` names, else as the one that the environment variable BACKBONE_LIBRARY names, else as
# libbackbone.so.1 by the system's loader.
#
# Shapes are always in the order N, C, H, W, whatever the order in memory. A network is freed by `close`, at the end of
# the block of `ResNet.open`, or when it is collected. Threads may share one: forward passes in evaluation mode run side
# by side, without Ruby's lock, calls that change the network take an exclusive lock, and `close` waits for the last
# call. Every failure of the library is a Backbone::Error with its own message.
module Backbone
  ABI_VERSION = 1

  STATUS_INVALID_ARGUMENT = 1
  STATUS_OUT_OF_MEMORY = 2
  STATUS_FILE_NOT_FOUND = 3
  STATUS_IO = 4
  STATUS_BAD_CHECKPOINT = 5
  STATUS_MISMATCH = 6
  STATUS_UNKNOWN_NAME = 7
  STATUS_CANCELLED = 8
  STATUS_STALE = 9
  STATUS_NOT_FINITE = 10

  STAGE_C2 = 1
  STAGE_C3 = 2
  STAGE_C4 = 4
  STAGE_C5 = 8
  STAGE_ALL = 15
  STAGE_C1 = 16
  STAGE_POOLED = 32
  STAGE_LOGITS = 64

  CHANNELS_AS_GIVEN = 0
  CHANNELS_REVERSED = 1
  NORMALIZE_UINT8 = 0
  NORMALIZE_ALL = 1

  ARITHMETIC_FAST = 0
  ARITHMETIC_DIRECT = 1

  STYLE_PYTORCH = 0
  STYLE_CAFFE = 1

  BLOCK_BASIC = 1
  BLOCK_BOTTLENECK = 2

  STEM_SINGLE = 1
  STEM_DEEP = 2
  STEM_TIERED = 3
  STEM_SMALL = 4

  STEM_POOLING_MAX = 1
  STEM_POOLING_CONVOLUTION = 2
  STEM_POOLING_NONE = 3

  SHORTCUT_PROJECTION = 1
  SHORTCUT_AVERAGE = 2
  SHORTCUT_SUBSAMPLE = 3
  SHORTCUT_EVERYWHERE = 4
  SHORTCUT_3X3 = 5
  SHORTCUT_NONE = 6

  NORM_BATCH = 1
  NORM_GROUP = 2

  ATTENTION_NONE = 1
  ATTENTION_SE = 2
  ATTENTION_SE_QUARTER = 3
  ATTENTION_ECA = 4

  ANTI_ALIASING_NONE = 1
  ANTI_ALIASING_BLUR = 2
  ANTI_ALIASING_AVERAGE = 3

  DILATION_PREVIOUS = 0
  DILATION_WHOLE = 1

  HEAD_EXACT = 0
  HEAD_NEW = 1

  TRAINABLE_ALL = 0
  TRAINABLE_NORMS = 1
  TRAINABLE_HEAD = 2

  IGNORED_LABEL = -100

  OPTIMIZER_SGD = 0
  OPTIMIZER_ADAMW = 1

  PARAMETERS_WEIGHTS = 1
  PARAMETERS_NORMS = 2
  PARAMETERS_BIASES = 4

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

  # An output or its gradient: `data` is a String of floats, NCHW, and `shape` is [N, C, H, W]; pooled and logits have
  # [N, C, 1, 1].
  Feature = Struct.new(:data, :shape) do
    # The elements as an Array of Float.
    def to_a = data.unpack("e*")
  end

  # Elements that the network takes as they are: a String of floats (`array.pack("e*")`), which is not copied.
  # `layout` is their order in memory, :nchw or :nhwc.
  def self.float32(data, shape, layout: :nchw) = Image.new(data, C::DTYPE_FLOAT32, shape, layout)

  # Pixels of which the network computes (x - mean) / std_dev: a String of bytes. `shape` is [N, C, H, W] all the same.
  def self.uint8(data, shape, layout: :nhwc) = Image.new(data, C::DTYPE_UINT8, shape, layout)

  # So many floats, 0 at first, for gradients and other values that C writes: a Fiddle::Pointer with a size.
  def self.floats(count)
    pointer = Fiddle::Pointer.malloc(4 * count, Fiddle::RUBY_FREE)
    pointer[0, pointer.size] = "\0" * pointer.size
    pointer
  end

  # The mean cross entropy of logits, a Feature of shape [N, K, 1, 1], and N labels, and its gradient for the logits:
  # [loss, gradient]. Images with the label IGNORED_LABEL are ignored.
  def self.cross_entropy(logits, labels, label_smoothing: 0)
    logits = Feature.new(String.new(logits.data), logits.shape) # which no other thread can change
    gradient = Feature.new("\0".b * logits.data.bytesize, logits.shape)
    loss = C.new_pointer
    input = C.feature("logits", logits)
    output = C.feature("the gradient", gradient)
    C.check(:cross_entropy, input, labels.pack("q*"), labels.size, label_smoothing, loss, output)
    [loss[0, 8].unpack1("d"), gradient]
  end

  # Opens the library, before any other call; without a path as every first call looks for it.
  def self.load(path = nil) = C.load(path)

  # The version of the library, "major.minor.patch".
  def self.version = C.call(:version_string).to_s

  # The names that the option `architecture` accepts: "resnet50", "wide_resnet50_2", ...
  def self.architectures
    Array.new(C.call(:architecture_count)) { |index| C.call(:architecture_name, index).to_s.force_encoding("UTF-8") }
  end

  # The declarations of backbone.h that are used, unchanged, and the search for the library.
  module C
    extend Fiddle::Importer

    DTYPE_FLOAT32 = 0
    DTYPE_UINT8 = 1

    Options = struct [
      "uint32_t struct_size", "int32_t depth", "int32_t in_channels", "int32_t base_channels", "uint32_t out_stages",
      "int32_t frozen_stages", "int32_t norm_eval", "int32_t zero_init_residual", "int32_t threads",
      "int32_t channel_order", "void *mean", "void *std_dev", "int32_t arithmetic", "int32_t style", "float norm_eps",
      "int32_t reserved", "int32_t normalization", "int32_t reserved2", "void *architecture",
      "int32_t num_classes", "int32_t output_stride", "uint32_t dilated_stages", "int32_t dilation_rule",
      "int32_t block_counts[4]", "int32_t block", "int32_t groups", "int32_t width_per_group", "int32_t stem",
      "int32_t stem_channels", "int32_t stem_pooling", "int32_t shortcut", "int32_t norm", "int32_t attention",
      "int32_t anti_aliasing", "int32_t preactivation", "int32_t block_width_count", "void *block_widths"
    ]
    LoadOptions = struct [
      "uint32_t struct_size", "int32_t strict", "void *key", "void *prefix", "int32_t input_channels",
      "int32_t channel_map_length", "void *channel_map", "int32_t allow_missing", "int32_t ignore_modules",
      "uint64_t max_stream_bytes", "int32_t head", "int32_t reserved"
    ]
    Tensor = struct [
      "void *data", "int32_t dtype", "int32_t reserved", "int64_t shape[4]", "int64_t strides[4]"
    ]

    TapeOptions = struct [
      "uint32_t struct_size", "int32_t input_gradient", "int32_t retain", "int32_t recompute"
    ]
    ParameterGroup = struct [
      "void *prefix", "uint32_t kinds", "int32_t reserved", "double learning_rate_factor", "double weight_decay"
    ]
    OptimizerOptions = struct [
      "uint32_t struct_size", "int32_t kind", "int32_t nesterov", "int32_t reserved", "double momentum",
      "double dampening", "double beta1", "double beta2", "double epsilon", "double weight_decay", "void *groups",
      "size_t group_count"
    ]

    POINTER = Fiddle::TYPE_VOIDP
    INT32 = Fiddle::TYPE_INT
    UINT64 = -Fiddle::TYPE_LONG_LONG
    SIZE = Fiddle::TYPE_SIZE_T
    VOID = Fiddle::TYPE_VOID
    DOUBLE = Fiddle::TYPE_DOUBLE
    UINT32 = -Fiddle::TYPE_INT

    SIGNATURES = {
      version_string: [POINTER, []],
      last_error_message: [POINTER, []],
      options_init: [INT32, [POINTER, SIZE]],
      architecture_count: [SIZE, []],
      architecture_name: [POINTER, [SIZE]],
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
      forward: [INT32, [POINTER, POINTER, POINTER, SIZE]],
      save_weights_with: [INT32, [POINTER, POINTER, POINTER]],
      cancel: [INT32, [POINTER]],
      tape_options_init: [INT32, [POINTER, SIZE]],
      tape_create: [INT32, [POINTER, POINTER, POINTER]],
      tape_free: [VOID, [POINTER]],
      tape_bytes: [INT32, [POINTER, POINTER, POINTER]],
      forward_train: [INT32, [POINTER, POINTER, POINTER, POINTER, SIZE]],
      backward: [INT32, [POINTER, POINTER, POINTER, SIZE, POINTER, POINTER, SIZE, UINT32]],
      feature_gradients: [INT32, [POINTER, POINTER, POINTER, SIZE, POINTER]],
      trainable_count: [INT32, [POINTER, POINTER]],
      trainable_slot: [INT32, [POINTER, SIZE, POINTER, POINTER]],
      read_trainable: [INT32, [POINTER, POINTER, SIZE]],
      write_trainable: [INT32, [POINTER, POINTER, SIZE]],
      set_trainable: [INT32, [POINTER, INT32]],
      cross_entropy: [INT32, [POINTER, POINTER, SIZE, DOUBLE, POINTER, POINTER]],
      optimizer_options_init: [INT32, [POINTER, SIZE, INT32]],
      optimizer_create: [INT32, [POINTER, POINTER, POINTER]],
      optimizer_free: [VOID, [POINTER]],
      optimizer_step: [INT32, [POINTER, POINTER, POINTER, SIZE, DOUBLE, UINT32]],
      optimizer_follow: [INT32, [POINTER, POINTER]],
      clip_gradients: [INT32, [POINTER, POINTER, SIZE, DOUBLE, POINTER]],
      save_training: [INT32, [POINTER, POINTER, POINTER, DOUBLE]],
      load_training: [INT32, [POINTER, POINTER, POINTER, POINTER]],
      statistics_begin: [INT32, [POINTER]],
      statistics_add: [INT32, [POINTER, POINTER]],
      statistics_commit: [INT32, [POINTER]],
      statistics_cancel: [INT32, [POINTER]]
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
        raise Error.new("#{place} is not libbackbone: it lacks backbone_#{name}", STATUS_IO)
      end
      # Checked first: another ABI may lack the other functions.
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

    # A string for C, which would end at a zero byte.
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
      arithmetic style normalization num_classes output_stride dilated_stages dilation_rule block groups width_per_group
      stem stem_channels stem_pooling shortcut norm attention anti_aliasing preactivation
    ].freeze
    INT32_ARRAYS = %i[block_counts block_widths].freeze

    # The struct for a Hash of options, and what it points to.
    def self.options(given)
      unknown = given.keys - INTEGERS - INT32_ARRAYS - %i[architecture norm_eps mean std_dev]
      raise ArgumentError, "unknown option: #{unknown.first}" unless unknown.empty?

      options = Options.malloc(Fiddle::RUBY_FREE)
      check(:options_init, options, Options.size)
      if given[:architecture]
        architecture = Fiddle::Pointer[text("architecture", given[:architecture])]
        options.architecture = architecture
        options.depth = 0 # unless given: the default, 50, would contradict the name
      end
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
      [options, [*anchors, architecture, blocks(options, given)]]
    end

    # Sets the numbers of blocks; what the struct then points to.
    def self.blocks(options, given)
      counts, widths = INT32_ARRAYS.map do |name|
        given[name]&.each_with_index&.map { |value, index| int32("#{name}[#{index}]", value) }
      end
      raise Error, "block_counts has #{counts.size} numbers; it must have at most 4" if counts && counts.size > 4

      options.block_counts = counts + ([0] * (4 - counts.size)) if counts
      return if widths.nil? || widths.empty?

      options.block_width_count = widths.size
      options.block_widths = Fiddle::Pointer[widths.pack("l*")]
    end

    LOADING = %i[strict key prefix allow_missing ignore_modules max_stream_bytes head].freeze

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
      options.head = int32("head", given[:head] || HEAD_EXACT)
      reported { |report| yield options, report }
    end

    # Calls a function that gives a report; the report as JSON.
    def self.reported
      report = new_pointer
      begin
        yield report
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

    # The same for a Feature, whose String has to stay where it is during the call.
    def self.feature(label, feature)
      data = Fiddle::Pointer[feature.data]
      raise Error, "the shape must be an Array of N, C, H and W" unless feature.shape.size == 4

      check_count(label, data, 4, feature.shape)
      tensor(data, DTYPE_FLOAT32, feature.shape, :nchw)
    end

    # The same for each output, of which some are nil.
    def self.features(label, features)
      tensors = features.each_with_index.map do |feature, index|
        next tensor(0, DTYPE_FLOAT32, [0, 0, 0, 0], :nchw) unless feature

        feature("#{label}[#{index}]", feature)
      end
      tensors.join
    end

    # A Fiddle::Pointer with a size and how many floats it has room for.
    def self.vector(label, values)
      return [values, values.size / 4] if values.is_a?(Fiddle::Pointer) && (values.size % 4).zero?

      raise Error, "#{label} must be a Fiddle::Pointer with a size, as Backbone.floats gives it"
    end

    RATES = %i[momentum dampening beta1 beta2 epsilon weight_decay].freeze

    # The struct for a Hash of options of an optimiser, and what it points to.
    def self.optimizer_options(given)
      unknown = given.keys - RATES - %i[kind nesterov groups]
      raise ArgumentError, "unknown option: #{unknown.first}" unless unknown.empty?

      options = OptimizerOptions.malloc(Fiddle::RUBY_FREE)
      check(:optimizer_options_init, options, OptimizerOptions.size, int32("kind", given[:kind] || OPTIMIZER_SGD))
      options.nesterov = given[:nesterov] ? 1 : 0
      RATES.each { |name| options[name.to_s] = given[name] if given[name] }
      prefixes = (given[:groups] || []).map { |group| Fiddle::Pointer[text("prefix", group[:prefix] || "")] }
      groups = (given[:groups] || []).zip(prefixes).map do |group, prefix|
        [prefix.to_i, int32("kinds", group[:kinds] || 0), 0, group[:learning_rate_factor] || 1,
         group[:weight_decay] || 0].pack("QLld2")
      end
      array = Fiddle::Pointer[groups.join]
      options.groups = array unless groups.empty?
      options.group_count = groups.size
      [options, [prefixes, array]]
    end

    def self.check_count(label, data, item, shape)
      needed = shape.inject(:*)
      return if data.size == needed * item

      raise Error, "#{label} has #{data.size / item} elements; shape (#{shape.join(', ')}) needs #{needed}"
    end
  end
  private_constant :C

  # What the library gave, which is freed when it is closed and the last call has left it.
  class Handle
    # What was collected, with the functions that free it. A finalizer runs anywhere, also between a failure and its
    # message, and may neither call the library nor lock: the next one that uses the library frees it.
    @collected = Queue.new

    # What is called when the owner is collected.
    def self.finalizer(pointer, free, closed)
      collected = @collected
      proc { collected << [free, pointer] unless closed.first }
    end

    def self.free_collected
      C.call(*@collected.pop(true)) until @collected.empty?
    rescue ThreadError
      nil # another thread was faster
    end

    def initialize(pointer, owner, free = :free)
      Handle.free_collected
      @pointer = pointer
      @name = owner.class.name.delete_prefix("Backbone::")
      @free = free
      @calls = 0
      @closed = [false] # of its own: the finalizer must not know the owner, which would else never be collected
      @lock = Mutex.new
      ObjectSpace.define_finalizer(owner, Handle.finalizer(pointer, free, @closed))
    end

    # The pointer, for the time of a block.
    def use
      Handle.free_collected
      @lock.synchronize do
        raise Error, "this #{@name} is closed" if @closed.first

        @calls += 1
      end
      begin
        yield @pointer
      ensure
        last = @lock.synchronize { (@calls -= 1).zero? && @closed.first }
        C.call(@free, @pointer) if last
      end
    end

    def close
      last = @lock.synchronize do
        open = !@closed.first
        @closed[0] = true
        open && @calls.zero?
      end
      C.call(@free, @pointer) if last
    end
  end
  private_constant :Handle

  # The data that a forward pass keeps for the backward pass: `ResNet#new_tape`. May be closed before or after its
  # network.
  class Tape
    def initialize(pointer)
      @handle = Handle.new(pointer, self, :tape_free)
    end
    private_class_method :new

    # Frees the tape once no call is in progress; may be called again.
    def close = @handle.close

    # The pointer, for the time of a block of this file.
    def use(&) = @handle.use(&)
    private :use
  end

  # SGD or AdamW with its state: `ResNet#new_optimizer`. May be closed before or after its network.
  class Optimizer
    def initialize(pointer)
      @handle = Handle.new(pointer, self, :optimizer_free)
    end
    private_class_method :new

    # Frees the optimiser once no call is in progress; may be called again.
    def close = @handle.close

    # The pointer, for the time of a block of this file.
    def use(&) = @handle.use(&)
    private :use
  end

  # A ResNet, in evaluation mode until `training=`.
  class ResNet
    # A network with random weights, those of `init_weights(0)`.
    #
    # Options are the fields of backbone_options, with the library's defaults: depth (50) or architecture (one of
    # `Backbone.architectures`), in_channels (3), base_channels, out_stages, frozen_stages, norm_eval,
    # zero_init_residual, threads, channel_order, arithmetic, style, norm_eps, normalization, mean and std_dev, an Array
    # of a number for each channel, num_classes, output_stride, dilated_stages and all others up to block_widths;
    # block_counts and block_widths are Arrays of Integers.
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
    # Options are as for load_weights and for `new`; the file determines base_channels, in_channels and the
    # architecture, unless `architecture` names it.
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

    # Frees the network once no call is in progress; may be called again. Every other method then fails.
    def close = @handle.close

    # Draws new weights, which are the same for the same seed.
    def init_weights(seed = 0)
      @handle.use { |net| C.check(:init_weights, net, seed) }
      self
    end

    # Loads a .pth, a pickle of arrays or a safetensors file, and returns the load report as JSON.
    #
    # A failed load changes nothing; the error for a file that does not fit has the report. Options: `strict` (names
    # that the network lacks are errors), `allow_missing` (weights that the file lacks keep their values),
    # `ignore_modules` (modules that the network does not compute are left out), `head` (HEAD_*), `key`, `prefix` and
    # `max_stream_bytes` (see backbone.h).
    def load_weights(path, **options)
      path = C.text("path", path)
      @handle.use do |net|
        C.loading(options) { |how, report| C.check(:load_weights_with, net, path, how, report) }
      end
    end

    # Writes the weights, as a .pth or as safetensors, by the suffix of the path.
    def save_weights(path)
      path = C.text("path", path)
      @handle.use { |net| C.check(:save_weights, net, path) }
      self
    end

    # The same under the names of another project ("detectron2", ...; see backbone.h).
    def save_weights_with(path, names)
      path = C.text("path", path)
      names = C.text("names", names)
      @handle.use { |net| C.check(:save_weights_with, net, path, names) }
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

    # The current options, in the form that `new` accepts, with the number of threads in use.
    #
    # `architecture` is always set; it is "custom", and `depth` 0, for a network that only its file describes.
    def options
      struct = C::Options.malloc(Fiddle::RUBY_FREE)
      struct.struct_size = C::Options.size
      @handle.use do |net|
        C.check(:get_options, net, struct)
        result = C::INTEGERS.to_h { |name| [name, struct[name.to_s]] }
        %i[norm_eval zero_init_residual].each { |name| result[name] = result[name] == 1 }
        result[:norm_eps] = struct.norm_eps
        result[:architecture] = struct.architecture.to_s.force_encoding("UTF-8")
        result[:block_counts] = struct.block_counts.to_a
        widths = struct.block_widths
        result[:block_widths] = widths[0, 4 * struct.block_width_count].unpack("l*") unless widths.null?
        %i[mean std_dev].each do |name|
          values = struct[name.to_s]
          result[name] = values[0, 4 * struct.in_channels].unpack("e*") unless values.null?
        end
        result
      end
    end

    # The shapes [N, C, H, W] of the outputs for images of a shape [N, C, H, W]: C1, C2 to C5, pooled, logits, as far as
    # they were requested.
    def output_shapes(shape) = @handle.use { |net| shapes(net, shape) }

    # The outputs for a batch of images, in the order of `output_shapes`: an Array of Feature.
    def forward(image) = @handle.use { |net| features(:forward, [net], image) }

    # Computes the outputs into the caller's memory: a Fiddle::Pointer with a size for each of output_shapes, NCHW.
    def forward_into(image, out)
      @handle.use do |net|
        shapes = shapes(net, image.shape)
        compute(:forward, [net], image, shapes, out)
      end
      out
    end

    # Ends the calls in progress in other threads: they raise an Error of STATUS_CANCELLED.
    def cancel
      @handle.use { |net| C.call(:cancel, net) }
      self
    end

    # An empty tape for this network. `input_gradient`: backward can compute the gradient of the input; `retain`:
    # several backward passes can follow a forward pass; `recompute`: the backward pass recomputes activations within
    # blocks instead of keeping them.
    def new_tape(input_gradient: false, retain: false, recompute: false)
      options = C::TapeOptions.malloc(Fiddle::RUBY_FREE)
      out = C.new_pointer
      C.check(:tape_options_init, options, C::TapeOptions.size)
      options.input_gradient = input_gradient ? 1 : 0
      options.retain = retain ? 1 : 0
      options.recompute = recompute ? 1 : 0
      @handle.use { |net| C.check(:tape_create, net, options, out) }
      Tape.send(:new, out.ptr)
    end

    # The memory that a tape uses, in bytes.
    def tape_bytes(tape)
      with(Tape, tape) { |net, pointer| size { |out| C.check(:tape_bytes, net, pointer, out) } }
    end

    # The outputs as `forward` computes them; fills the tape for `backward`.
    def forward_train(tape, image) = with(Tape, tape) { |*both| features(:forward_train, both, image) }

    # The same into the caller's memory, as `forward_into`.
    def forward_train_into(tape, image, out)
      with(Tape, tape) { |net, pointer| compute(:forward_train, [net, pointer], image, shapes(net, image.shape), out) }
      out
    end

    # Computes gradients from those of the outputs: an Array with a Feature for each, or nil, which stands for zeros.
    #
    # `gradients`, what `Backbone.floats(trainable_count)` gives, receives those of all trainable parameters;
    # `accumulate` adds to them. `input_shape`, the shape of the images, asks for the gradient of the input, which the
    # tape must allow: a Feature, which is returned.
    def backward(tape, output_gradients, gradients: nil, accumulate: false, input_shape: nil)
      given = shared(output_gradients)
      tensors = C.features("output_gradients", given)
      input = input_shape && zeros(input_shape)
      of_input = input && C.feature("input_gradient", input)
      all, count = gradients ? C.vector("gradients", gradients) : [nil, 0]
      with(Tape, tape) do |net, pointer|
        C.check(:backward, net, pointer, tensors, given.size, of_input, all, count, accumulate ? 1 : 0)
      end
      input
    end

    # Computes the gradients with respect to outputs, such as those of a class's logit with respect to C5, from those of
    # the outputs: an Array of Feature, one for each of `wanted`, the indices of outputs (nil: of all).
    #
    # `output_gradients` are those of backward, `input_shape` is the shape of the images. Outputs of frozen stages have
    # gradients only on a tape with `input_gradient`.
    def feature_gradients(tape, output_gradients, input_shape:, wanted: nil)
      given = shared(output_gradients)
      shapes = output_shapes(input_shape)
      wanted ||= (0...shapes.size).to_a
      foreign = wanted - (0...shapes.size).to_a
      raise Error, "wanted has #{foreign.first.inspect}; this network gives #{shapes.size} outputs" if foreign.any?
      # The C function has one count for both.
      if given.size != shapes.size
        raise Error, "#{shapes.size} feature_gradients for #{given.size} output_gradients; pass one for each"
      end

      # Nobody else knows these strings yet, so that they stay where they are.
      features = shapes.map.with_index { |shape, index| zeros(shape) if wanted.include?(index) }
      with(Tape, tape) do |net, pointer|
        tensors, written = C.features("output_gradients", given), C.features("feature_gradients", features)
        C.check(:feature_gradients, net, pointer, tensors, given.size, written)
      end
      features.values_at(*wanted)
    end

    # Chooses which parameters outside of the frozen stages are trained: TRAINABLE_*.
    def trainable=(which)
      @handle.use { |net| C.check(:set_trainable, net, C.int32("which", which)) }
    end

    # How many floats all trainable parameters together have.
    def trainable_count = @handle.use { |net| size { |out| C.check(:trainable_count, net, out) } }

    # Where the gradient of an entry of the state dict is among all gradients: [offset, count], in floats; the count is
    # 0 for an entry that is not trainable.
    def trainable_slot(index)
      offset = C.new_pointer
      count = @handle.use { |net| size { |out| C.check(:trainable_slot, net, index, offset, out) } }
      [offset[0, 8].unpack1("Q"), count]
    end

    # All trainable parameters, as Backbone.floats gives memory.
    def read_trainable
      values = Backbone.floats(trainable_count)
      @handle.use { |net| C.check(:read_trainable, net, *C.vector("values", values)) }
      values
    end

    # Copies what `read_trainable` gave to all trainable parameters.
    def write_trainable(values)
      @handle.use { |net| C.check(:write_trainable, net, *C.vector("values", values)) }
      self
    end

    # Scales gradients so that their Euclidean norm is at most `max_norm`; returns the norm before.
    def clip_gradients(gradients, max_norm)
      norm = C.new_pointer
      @handle.use { |net| C.check(:clip_gradients, net, *C.vector("gradients", gradients), max_norm, norm) }
      norm[0, 8].unpack1("d")
    end

    # A new optimiser for the parameters that are trainable now.
    #
    # Options, with PyTorch's defaults: kind (OPTIMIZER_SGD), nesterov, momentum, dampening, beta1, beta2, epsilon,
    # weight_decay and groups, an Array of Hashes of prefix, kinds (PARAMETERS_*), learning_rate_factor (1) and
    # weight_decay (0); a parameter belongs to the first that fits.
    def new_optimizer(**options)
      struct, _anchors = C.optimizer_options(options)
      out = C.new_pointer
      @handle.use { |net| C.check(:optimizer_create, net, struct, out) }
      Optimizer.send(:new, out.ptr)
    end

    # Updates all trainable parameters from their gradients: one step of the optimiser. Gradients that are NaN or
    # infinite are an Error of STATUS_NOT_FINITE, unless `allow_not_finite`.
    def step(optimizer, gradients, learning_rate, allow_not_finite: false)
      all = C.vector("gradients", gradients)
      with(Optimizer, optimizer) do |net, pointer|
        C.check(:optimizer_step, net, pointer, *all, learning_rate, allow_not_finite ? 1 : 0)
      end
      self
    end

    # Adapts a stale optimiser to the parameters that are trainable now.
    def follow(optimizer)
      with(Optimizer, optimizer) { |net, pointer| C.check(:optimizer_follow, net, pointer) }
      self
    end

    # Writes the weights and the state of an optimiser to one file that PyTorch can read.
    def save_training(optimizer, path, learning_rate)
      path = C.text("path", path)
      with(Optimizer, optimizer) { |net, pointer| C.check(:save_training, net, pointer, path, learning_rate) }
      self
    end

    # Loads what save_training or PyTorch wrote, and returns the load report as JSON.
    def load_training(optimizer, path)
      path = C.text("path", path)
      with(Optimizer, optimizer) do |net, pointer|
        C.reported { |report| C.check(:load_training, net, pointer, path, report) }
      end
    end

    # Begins to collect the statistics of BatchNorms from images: backbone_statistics_begin.
    def begin_statistics
      @handle.use { |net| C.check(:statistics_begin, net) }
      self
    end

    # Adds the statistics of a batch.
    def add_statistics(image)
      pixels = String.new(image.data)
      @handle.use { |net| C.check(:statistics_add, net, input_tensor(Fiddle::Pointer[pixels], image)) }
      self
    end

    # Replaces the running statistics by the collected ones.
    def commit_statistics
      @handle.use { |net| C.check(:statistics_commit, net) }
      self
    end

    # Ends collecting and changes nothing.
    def cancel_statistics
      @handle.use { |net| C.check(:statistics_cancel, net) }
      self
    end

    private

    # The pointers of the network and of a tape or an optimiser, for the time of a block.
    def with(kind, object)
      raise Error, "#{kind.name.delete_prefix('Backbone::')} expected" unless object.is_a?(kind)

      @handle.use { |net| object.send(:use) { |pointer| yield net, pointer } }
    end

    def zeros(shape) = Feature.new("\0".b * (4 * shape.inject(:*)), shape)

    # Copies of features, or nil, that share the memory, but that no other thread can change.
    def shared(features) = features.map { |feature| feature && Feature.new(String.new(feature.data), feature.shape) }

    # A size_t that a block receives.
    def size
      out = C.new_pointer
      yield out
      out[0, 8].unpack1("Q")
    end

    # Outputs in new memory.
    def features(name, pointers, image)
      shapes = shapes(pointers.first, image.shape)
      # Nobody else knows these strings yet, so that they stay where they are.
      features = shapes.map { |shape| zeros(shape) }
      compute(name, pointers, image, shapes, features.map { |feature| Fiddle::Pointer[feature.data] })
      features
    end

    def input_tensor(data, image)
      C.check_count("the input", data, image.dtype == C::DTYPE_FLOAT32 ? 4 : 1, image.shape)
      C.tensor(data, image.dtype, image.shape, image.layout)
    end

    def own(pointer)
      @handle = Handle.new(pointer, self)
      @output_count = options[:out_stages].digits(2).sum
    end

    def shapes(net, shape)
      raise Error, "the shape must be an Array of N, C, H and W" unless shape.is_a?(Array) && shape.size == 4

      rows = "\0".b * (32 * @output_count)
      C.check(:output_shapes, net, shape.pack("q4"), rows, @output_count)
      rows.unpack("q*").each_slice(4).to_a
    end

    def compute(name, pointers, image, shapes, out)
      # A copy that shares the memory, but that no other thread can change while Ruby's lock is given up.
      pixels = String.new(image.data)
      input = input_tensor(Fiddle::Pointer[pixels], image)
      raise Error, "out has #{out.size} buffers; this network gives #{@output_count}" if out.size != @output_count

      outputs = out.zip(shapes).each_with_index.map do |(buffer, shape), index|
        C.check_count("out[#{index}]", buffer, 4, shape)
        C.tensor(buffer, C::DTYPE_FLOAT32, shape, :nchw)
      end
      C.check(name, *pointers, input, outputs.join, @output_count)
    end
  end
end

# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

# The commands of bindings/tests/probe.c, through the binding.

require "backbone"

# The program of one run.
class Probe
  def run(words)
    send(:"run_#{words.first}", words)
  rescue Backbone::Error => e
    "error #{e.status} #{e.message}#{e.report && " report #{e.report}"}"
  end

  private

  def numbers(word) = word == "-" ? nil : word.split(",").map(&:to_f)
  def optional(word) = word == "-" ? nil : word

  def how(words)
    { strict: words[2] == "1", key: optional(words[3]), prefix: optional(words[4]), allow_missing: words[5] == "1",
      ignore_modules: words[6] == "1", max_stream_bytes: words[7].to_i, head: words[8].to_i }
  end

  # The options that words say.
  def given(words)
    words.to_h do |word|
      name, value = word.split("=")
      value = value.split(",").map(&:to_i) if name.match?(/\Ablock_(counts|widths)\z/)
      [name.to_sym, value.is_a?(Array) || name == "architecture" ? value : value.to_i]
    end
  end

  def shape(words) = words.first(4).map(&:to_i)
  def bits(values) = values ? values.pack("e*").unpack("L*").join(",") : "-"

  def image(words)
    Backbone.send(words[1], File.binread(words[7]), shape(words[3..]), layout: words[2].to_sym)
  end

  def run_open(words)
    Backbone.load(words[1])
    "ok"
  end

  def run_version(_words) = "version #{Backbone.version} abi #{Backbone::ABI_VERSION}"

  def run_layout(words)
    kinds = { "backbone_options" => :Options, "backbone_load_options" => :LoadOptions, "backbone_tensor" => :Tensor,
              "backbone_tape_options" => :TapeOptions, "backbone_parameter_group" => :ParameterGroup,
              "backbone_optimizer_options" => :OptimizerOptions }
    c = Backbone.module_eval("C", __FILE__, __LINE__)
    words.drop(1).flat_map { |name| layout(name, c.const_get(kinds.fetch(name))) }.join("\n")
  end

  def layout(name, kind)
    struct = kind.malloc(Fiddle::RUBY_FREE)
    offsets = struct.to_ptr.instance_variable_get(:@offset)
    fields = kind.members.zip(offsets, kind.types).map do |field, offset, (type, count)|
      "#{field} #{offset} #{Fiddle::PackInfo::SIZE_MAP.fetch(type) * (count || 1)}"
    end
    ["#{name} #{kind.size}", *fields]
  end

  def run_create(words)
    integers = %i[depth in_channels base_channels out_stages frozen_stages norm_eval zero_init_residual threads
                  channel_order arithmetic style]
    options = integers.zip(words[1, 11].map(&:to_i)).to_h
    options[:norm_eval] = words[6] == "1"
    options[:zero_init_residual] = words[7] == "1"
    @net = Backbone::ResNet.new(**options, norm_eps: words[12].to_f, mean: numbers(words[13]),
                                           std_dev: numbers(words[14]))
    "created"
  end

  def run_named(words)
    options = { architecture: optional(words[1]), depth: optional(words[2])&.to_i }.compact
    @net = Backbone::ResNet.new(**options, base_channels: 4, threads: 2)
    "created"
  end

  def run_build(words)
    @net = Backbone::ResNet.new(**given(words.drop(1)))
    "created"
  end

  def run_architectures(_words) = "architectures #{Backbone.architectures.join(' ')}"

  def run_from_file(words)
    @net, report = Backbone::ResNet.from_file(words[1], **how(words), **given(words.drop(9)))
    "created report #{report}"
  end

  def run_options(_words)
    values = @net.options.values_at(:depth, :in_channels, :base_channels, :out_stages, :frozen_stages, :norm_eval,
                                    :zero_init_residual, :threads, :channel_order, :arithmetic, :style)
    values = values.map { |value| { true => 1, false => 0 }.fetch(value, value) }
    floats = [[@net.options[:norm_eps]], @net.options[:mean], @net.options[:std_dev]].map { |value| bits(value) }
    more = @net.options.values_at(:num_classes, :output_stride, :dilated_stages, :dilation_rule, :block, :groups,
                                  :width_per_group, :stem, :stem_channels, :stem_pooling, :shortcut, :norm, :attention,
                                  :anti_aliasing, :preactivation)
    lists = @net.options.values_at(:block_counts, :block_widths).map { |list| list&.join(",") || "-" }
    ["options", *values, *floats, *more, *lists, @net.options[:architecture]].join(" ")
  end

  def run_init(words)
    @net.init_weights(words[1].to_i)
    "ok"
  end

  def run_load(words) = "ok report #{@net.load_weights(words[1], **how(words))}"

  def run_save(words)
    @net.save_weights(words[1])
    "ok"
  end

  def run_freeze(words)
    @net.freeze_stages(words[1].to_i)
    "ok"
  end

  def run_training(words)
    @net.training = words[1] == "1"
    "training #{@net.training? ? 1 : 0}"
  end

  def run_shapes(words) = "shapes #{@net.output_shapes(shape(words[1..])).join(' ')}"

  def run_forward(words)
    File.binwrite(words[8], @net.forward(image(words)).map(&:data).join)
    "ok"
  end

  def forward_into(words, short: 0, most: 7)
    out = @net.output_shapes(shape(words[3..])).first(most).map do |sizes|
      Fiddle::Pointer.malloc(4 * (sizes.inject(:*) - short), Fiddle::RUBY_FREE)
    end
    @net.forward_into(image(words), out)
  end

  def run_forward_into(words)
    File.binwrite(words[8], forward_into(words).map { |buffer| buffer[0, buffer.size] }.join)
    "ok"
  end

  def run_forward_short(words) = forward_into(words, short: 1)
  def run_forward_fewer(words) = forward_into(words, most: 1)

  def small = Backbone::ResNet.new(depth: 18, base_channels: 4)
  def black = Backbone.float32("\0".b * (4 * 3 * 8 * 8), [1, 3, 8, 8])

  def run_trainable(words)
    @net.trainable = words[1].to_i
    "trainable #{@net.trainable_count}"
  end

  def run_slot(words) = "slot #{@net.trainable_slot(words[1].to_i).join(' ')}"

  def run_tape(words)
    @tape = @net.new_tape(input_gradient: words[1] == "1", retain: words[2] == "1")
    "ok"
  end

  def run_forward_train(words)
    @features = @net.forward_train(@tape, image(words))
    @input_shape = shape(words[3..])
    File.binwrite(words[8], @features.map(&:data).join)
    "ok"
  end

  def run_bytes(_words) = "bytes #{@net.tape_bytes(@tape)}"

  def bits64(value) = [value].pack("d").unpack1("Q")

  def run_loss(words)
    labels = words[1].split(",").map(&:to_i)
    loss, @loss_gradient = Backbone.cross_entropy(@features.last, labels, label_smoothing: words[2].to_f)
    "loss #{bits64(loss)}"
  end

  def given_gradients(words)
    missing = [nil] * (@features.size - 1)
    words[1] == "features" ? @features : [*missing, @loss_gradient]
  end

  def run_feature_gradients(words)
    wanted = words[2].each_char.with_index.filter_map { |bit, index| index if bit == "1" }
    made = @net.feature_gradients(@tape, given_gradients(words), input_shape: @input_shape, wanted: wanted)
    File.binwrite(words[3], made.map(&:data).join)
    "ok"
  end

  def run_backward(words, input_shape = nil)
    given = given_gradients(words)
    @gradients = Backbone.floats(@net.trainable_count) if words[2] == "0"
    input = @net.backward(@tape, given, gradients: @gradients, accumulate: words[2] == "1", input_shape: input_shape)
    File.binwrite(words[3], "#{input&.data}#{@gradients[0, @gradients.size]}")
    "ok"
  end

  def run_backward_input(words) = run_backward(words, @input_shape)

  def run_clip(words)
    max_norm = words[1] == "inf" ? Float::INFINITY : words[1].to_f
    "norm #{bits64(@net.clip_gradients(@gradients, max_norm))}"
  end

  def run_optimizer(words)
    names = %i[momentum dampening beta1 beta2 epsilon weight_decay]
    rates = names.zip(words[3, 6]).reject { |_, word| word == "-" }.to_h { |name, word| [name, word.to_f] }
    groups = words.drop(9).map do |word|
      prefix, kinds, factor, decay = word.split(":")
      { prefix: optional(prefix), kinds: kinds.to_i, learning_rate_factor: factor.to_f, weight_decay: decay.to_f }
    end
    @optimizer = @net.new_optimizer(kind: words[1].to_i, nesterov: words[2] == "1", groups: groups, **rates)
    "ok"
  end

  def run_step(words)
    @net.step(@optimizer, @gradients, words[1].to_f, allow_not_finite: words[2] == "1")
    "ok"
  end

  def run_spoil(_words)
    @gradients[0, 4] = [Float::INFINITY].pack("e")
    "ok"
  end

  def run_follow(_words)
    @net.follow(@optimizer)
    "ok"
  end

  def run_parameters(words)
    @gradients = @net.read_trainable
    @net.write_trainable(@gradients)
    File.binwrite(words[1], @gradients[0, @gradients.size])
    "ok"
  end

  def run_save_training(words)
    @net.save_training(@optimizer, words[1], words[2].to_f)
    "ok"
  end

  def run_load_training(words) = "ok report #{@net.load_training(@optimizer, words[1])}"

  def run_save_as(words)
    @net.save_weights_with(words[1], words[2])
    "ok"
  end

  def run_free(words)
    (words[1] == "tape" ? @tape : @optimizer).close
    "ok"
  end

  def train_once
    net = small
    net.forward_train(net.new_tape, Backbone.float32("\0".b * (4 * 3 * 32 * 32), [1, 3, 32, 32]))
    net.step(net.new_optimizer, Backbone.floats(net.trainable_count), 0)
  end

  # Networks that are lost with their first forward pass, while another thread collects.
  def run_churn(words) = collecting(words[1].to_i) { small.forward(black) }

  # Tapes and optimisers that are lost with their first use.
  def run_churn_training(words) = collecting(words[1].to_i) { train_once }

  def collecting(count, &use)
    running = true
    collector = Thread.new do
      while running
        GC.start
        sleep 0.002
      end
    end
    count.times(&use)
    running = false
    collector.join
    GC.start
    "churned #{count}"
  end

  def run_race(_words)
    net = small
    call = Thread.new { net.forward(black).size }
    sleep 0.2
    net.close
    during = call.alive? ? "during" : "after"
    "closed #{during} the call\nthe call gave #{call.value} features"
  end

  def run_cancel(words)
    call = Thread.new { @net.forward(image(words)) }
    call.report_on_exception = false
    while call.alive?
      @net.cancel
      sleep 0.001
    end
    "not cancelled: #{call.value.size}"
  end

  def run_close(_words)
    @net.close
    "closed"
  end
end

probe = Probe.new
$stdin.each_line do |line|
  puts probe.run(line.chomp.split(" "))
  $stdout.flush
end

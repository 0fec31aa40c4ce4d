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
      ignore_modules: words[6] == "1", max_stream_bytes: words[7].to_i }
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
    kinds = { "backbone_options" => :Options, "backbone_load_options" => :LoadOptions, "backbone_tensor" => :Tensor }
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

  def run_from_file(words)
    @net, report = Backbone::ResNet.from_file(words[1], **how(words))
    "created report #{report}"
  end

  def run_options(_words)
    values = @net.options.values_at(:depth, :in_channels, :base_channels, :out_stages, :frozen_stages, :norm_eval,
                                    :zero_init_residual, :threads, :channel_order, :arithmetic, :style)
    values = values.map { |value| { true => 1, false => 0 }.fetch(value, value) }
    floats = [[@net.options[:norm_eps]], @net.options[:mean], @net.options[:std_dev]].map { |value| bits(value) }
    "options #{values.join(' ')} #{floats.join(' ')}"
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

  def forward_into(words, short: 0, most: 4)
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

  # Networks that are lost with their first forward, while another thread collects.
  def run_churn(words)
    running = true
    collector = Thread.new do
      while running
        GC.start
        sleep 0.002
      end
    end
    words[1].to_i.times { small.forward(black) }
    running = false
    collector.join
    GC.start
    "churned #{words[1]}"
  end

  def run_race(_words)
    net = small
    call = Thread.new { net.forward(black).size }
    sleep 0.2
    net.close
    during = call.alive? ? "during" : "after"
    "closed #{during} the call\nthe call gave #{call.value} features"
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

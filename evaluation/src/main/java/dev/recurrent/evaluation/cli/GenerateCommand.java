package dev.recurrent.evaluation.cli;

import dev.recurrent.blocks.torch.MatrixPrecision;
import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.report.Numbers;
import dev.recurrent.zoo.Pretrained;
import dev.recurrent.zoo.generation.GenerationConfig;
import dev.recurrent.zoo.generation.GenerationResult;
import dev.recurrent.zoo.generation.Generator;
import dev.recurrent.zoo.generation.TokenStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Continues prompts. */
@Command(
        name = "generate",
        header = "Continues prompts.",
        description = {
            "Continues a prompt by a model's own text, printed while it comes.",
            "Several prompts run in one batch and are printed one after another."
        })
final class GenerateCommand implements Callable<Integer> {

    private static final Pattern CONTROL = Pattern.compile("[\\p{Cntrl}&&[^\n\t]]");

    @Spec private CommandSpec spec;

    @Mixin private ModelOption models;

    @Mixin private DeviceOption device;

    @Option(
            names = "--prompt",
            paramLabel = "TEXT",
            description = "What to continue; may be repeated (default: standard input).")
    private List<String> prompts = List.of();

    @Option(
            names = "--max-new-tokens",
            paramLabel = "N",
            defaultValue = "128",
            description = "Stop after so many tokens (default: ${DEFAULT-VALUE}).")
    private int maxNewTokens;

    @Option(
            names = "--temperature",
            paramLabel = "X",
            defaultValue = "0",
            description = "Divide logits by this; 0 takes the most probable token (default: 0).")
    private double temperature;

    @Option(
            names = "--top-k",
            paramLabel = "K",
            defaultValue = "0",
            description = "Draw among the K most probable tokens; 0 for all (default: 0).")
    private int topK;

    @Option(
            names = "--top-p",
            paramLabel = "P",
            defaultValue = "1",
            description = "Draw among the tokens that make up probability P (default: 1).")
    private double topP;

    @Option(
            names = "--repetition-penalty",
            paramLabel = "X",
            defaultValue = "1",
            description = "Make tokens that occurred less probable; 1 does not (default: 1).")
    private double repetitionPenalty;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "0",
            description = "Where random draws start (default: 0).")
    private long seed;

    @Option(
            names = "--stop",
            paramLabel = "TEXT",
            description = "Stop before this text; may be repeated.")
    private List<String> stops = List.of();

    @Option(
            names = "--precision",
            paramLabel = "TYPE",
            description =
                    "Of the products: full, bfloat16 or float16 (default: bfloat16 on GPUs, else"
                            + " full).")
    private MatrixPrecision precision;

    @Override
    public Integer call() throws Exception {
        GenerationConfig config = config();
        ModelName name = models.single();
        List<String> texts = prompts.isEmpty() ? List.of(standardInput()) : prompts;
        name.warn(spec.commandLine().getErr());
        long opening = System.nanoTime();
        try (Pretrained model = name.open(device)) {
            Generator generator = new Generator(model.model(), model.tokenizer(), model.manager());
            long start = System.nanoTime();
            loaded(model, (start - opening) / 1e9);
            List<GenerationResult> results =
                    precision()
                            .during(
                                    () ->
                                            texts.size() == 1
                                                    ? List.of(
                                                            stream(generator, texts.get(0), config))
                                                    : batch(generator, texts, config));
            report(results, (System.nanoTime() - start) / 1e9);
        }
        return 0;
    }

    private MatrixPrecision precision() {
        return precision == null ? MatrixPrecision.usual(device.device()) : precision;
    }

    private void loaded(Pretrained model, double seconds) {
        spec.commandLine()
                .getErr()
                .println(
                        Numbers.count(model.model().parameterCount())
                                + " parameters loaded in "
                                + Numbers.duration(seconds));
    }

    private GenerationConfig config() {
        try {
            return GenerationConfig.builder()
                    .optMaxNewTokens(maxNewTokens)
                    .optTemperature(temperature)
                    .optTopK(topK)
                    .optTopP(topP)
                    .optRepetitionPenalty(repetitionPenalty)
                    .optSeed(seed)
                    .optStopStrings(stops)
                    .build();
        } catch (IllegalArgumentException e) {
            throw new InvalidInputException(e.getMessage(), e);
        }
    }

    private static String standardInput() throws IOException {
        InputStream in = System.in;
        return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }

    private GenerationResult stream(Generator generator, String prompt, GenerationConfig config) {
        PrintWriter out = spec.commandLine().getOut();
        try (TokenStream stream = start(generator, prompt, config)) {
            while (stream.hasNext()) {
                out.print(shown(stream.next()));
                out.flush();
            }
            out.println();
            return stream.result();
        }
    }

    private static TokenStream start(Generator generator, String prompt, GenerationConfig config) {
        try {
            return generator.stream(prompt, config);
        } catch (IllegalArgumentException e) {
            throw new InvalidInputException(e.getMessage(), e);
        }
    }

    /** A model may write what would command a terminal: only lines and tabs pass. */
    private static String shown(String text) {
        return CONTROL.matcher(text).replaceAll("\uFFFD");
    }

    private List<GenerationResult> batch(
            Generator generator, List<String> texts, GenerationConfig config) {
        List<GenerationResult> results = generator.generate(texts, config);
        PrintWriter out = spec.commandLine().getOut();
        for (int i = 0; i < results.size(); i++) {
            out.println("==> " + texts.get(i).strip());
            out.println(shown(results.get(i).text()));
        }
        return results;
    }

    private void report(List<GenerationResult> results, double seconds) {
        int tokens = results.stream().mapToInt(result -> result.ids().size()).sum();
        int prompt = results.stream().mapToInt(GenerationResult::promptTokens).sum();
        spec.commandLine()
                .getErr()
                .println(
                        String.format(
                                Locale.ROOT,
                                "%d prompt tokens, %d new tokens in %s: %s tokens/s",
                                prompt,
                                tokens,
                                Numbers.duration(seconds),
                                Numbers.rate(tokens / seconds)));
    }
}

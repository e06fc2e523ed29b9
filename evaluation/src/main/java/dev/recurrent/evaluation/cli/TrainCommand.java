package dev.recurrent.evaluation.cli;

import ai.djl.MalformedModelException;
import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.report.Numbers;
import dev.recurrent.training.run.RunConfig;
import dev.recurrent.training.run.RunResult;
import dev.recurrent.training.run.RunSetting;
import dev.recurrent.training.run.TrainingRun;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Trains a model; every {@link RunSetting} is an option. */
@Command(
        name = "train",
        header = "Trains a model on texts: from scratch, or further.",
        description = {
            "Trains a model on texts. The folder of the run takes its settings, checkpoints,"
                    + " metrics, a picture of the losses and, in the end, the model: a folder in"
                    + " Hugging Face form. Ctrl-C saves a checkpoint; --resume goes on from it.",
            "Example: recurrent train --model griffin --data book.txt -o my-griffin --steps 500"
        })
final class TrainCommand implements Callable<Integer> {

    private CommandSpec spec;

    @Mixin private DeviceOption device;

    @Option(
            names = {"-o", "--output"},
            paramLabel = "DIR",
            description = "The folder of the run.")
    private Path output;

    @Option(
            names = "--config",
            paramLabel = "FILE",
            description = "Settings, such as an earlier run's run.properties; options go before.")
    private Path settings;

    @Option(names = "--resume", description = "Go on with the run in DIR.")
    private boolean resume;

    @Option(
            names = "--dry-run",
            description = "Print parameters, memory and tokens a step, and train nothing.")
    private boolean dryRun;

    @Spec
    void setSpec(CommandSpec command) {
        spec = command;
        for (RunSetting setting : RunSetting.values()) {
            command.addOption(option(setting));
        }
    }

    private static OptionSpec option(RunSetting setting) {
        String initial = setting.initial();
        boolean told = setting.isFlag() || initial == null || initial.isEmpty();
        OptionSpec.Builder option =
                OptionSpec.builder(names(setting))
                        .description(
                                setting.description().replaceFirst("\\.$", "")
                                        + (told ? "." : " (default: " + initial + ")."))
                        .type(String.class);
        return setting.isFlag()
                ? option.arity("0").build()
                : option.arity("1").paramLabel("VALUE").build();
    }

    private static String[] names(RunSetting setting) {
        String name = "--" + setting.key();
        return switch (setting) {
            case MODEL -> new String[] {"-m", name};
            case BATCH -> new String[] {"-b", name};
            default -> new String[] {name};
        };
    }

    @Override
    public Integer call() throws Exception {
        if (output == null && (resume || !dryRun)) {
            throw new InvalidInputException("-o DIR is missing: the folder for the run's files");
        }
        PrintWriter out = spec.commandLine().getOut();
        PrintWriter err = spec.commandLine().getErr();
        TrainingRun run = new TrainingRun(config(), output, device.device(), err::println);
        if (dryRun) {
            out.println(run.plan());
            return 0;
        }
        return report(run.train(resume), out, err);
    }

    private RunConfig config() throws IOException, MalformedModelException {
        Map<RunSetting, String> given = given();
        if (resume) {
            Map<RunSetting, String> values = new EnumMap<>(TrainingRun.configOf(output).values());
            values.putAll(given);
            return RunConfig.of(values);
        }
        Map<RunSetting, String> values = new EnumMap<>(RunSetting.class);
        if (settings != null) {
            values.putAll(RunConfig.read(settings));
        }
        values.putAll(given);
        return RunConfig.of(values);
    }

    private Map<RunSetting, String> given() {
        Map<RunSetting, String> given = new EnumMap<>(RunSetting.class);
        for (RunSetting setting : RunSetting.values()) {
            OptionSpec option = spec.findOption("--" + setting.key());
            if (spec.commandLine().getParseResult().hasMatchedOption(option)) {
                given.put(setting, setting.isFlag() ? "true" : option.getValue());
            }
        }
        return given;
    }

    private int report(RunResult result, PrintWriter out, PrintWriter err) {
        if (!result.finished()) {
            err.println("stopped after step " + result.steps() + "; --resume goes on from there");
            return 1;
        }
        err.println(
                "validation loss "
                        + Numbers.decimal(result.validationLoss())
                        + ", least "
                        + Numbers.decimal(result.bestLoss())
                        + " nats a token; the curve is "
                        + output.resolve("loss.svg"));
        out.println(result.model());
        return 0;
    }
}

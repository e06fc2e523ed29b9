package dev.recurrent.evaluation.cli;

import ai.djl.MalformedModelException;
import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.training.DivergenceException;
import dev.recurrent.training.checkpoint.RunLockedException;
import dev.recurrent.training.data.DataException;
import dev.recurrent.training.run.InvalidRunException;
import dev.recurrent.zoo.checkpoint.CheckpointSaveException;
import java.io.PrintWriter;
import java.nio.file.NoSuchFileException;
import java.util.function.BooleanSupplier;
import picocli.CommandLine;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.IExecutionExceptionHandler;
import picocli.CommandLine.IParameterExceptionHandler;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/** One message on standard error, and the exit code that fits it. */
final class Failures implements IExecutionExceptionHandler, IParameterExceptionHandler {

    private final BooleanSupplier verbose;

    Failures(BooleanSupplier verbose) {
        this.verbose = verbose;
    }

    @Override
    public int handleExecutionException(
            Exception exception, CommandLine command, ParseResult result) {
        PrintWriter err = command.getErr();
        err.println("recurrent: " + message(exception));
        if (verbose.getAsBoolean()) {
            exception.printStackTrace(err);
        }
        return isInput(exception) ? ExitCode.USAGE : ExitCode.SOFTWARE;
    }

    @Override
    public int handleParseException(ParameterException exception, String[] arguments) {
        CommandLine command = exception.getCommandLine();
        PrintWriter err = command.getErr();
        err.println("recurrent: " + exception.getMessage());
        UnmatchedArgumentException.printSuggestions(exception, err);
        err.println("Try '" + command.getCommandSpec().qualifiedName() + " --help'.");
        return ExitCode.USAGE;
    }

    private static boolean isInput(Exception exception) {
        return exception instanceof InvalidInputException
                || exception instanceof InvalidRunException
                || exception instanceof DataException
                || exception instanceof RunLockedException
                || exception instanceof MalformedModelException
                || exception instanceof NoSuchFileException;
    }

    /** Whether an exception of ours says all that there is to say. */
    private static boolean isClear(Exception exception) {
        return isInput(exception)
                || exception instanceof DivergenceException
                || exception instanceof CheckpointSaveException;
    }

    private static String message(Exception exception) {
        if (exception instanceof NoSuchFileException missing) {
            String reason = missing.getReason() == null ? "" : ": " + missing.getReason();
            return "There is no file " + missing.getFile() + reason;
        }
        String message = exception.getMessage();
        return isClear(exception) && message != null ? message : exception.toString();
    }
}

package dev.recurrent.evaluation.task.choice;

import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.score.Scorer;
import dev.recurrent.evaluation.task.Document;
import dev.recurrent.evaluation.task.Documents;
import dev.recurrent.evaluation.task.Metric;
import dev.recurrent.evaluation.task.Outcome;
import dev.recurrent.evaluation.task.Task;
import dev.recurrent.evaluation.task.TaskOptions;
import dev.recurrent.evaluation.task.TaskType;
import dev.recurrent.evaluation.task.Traits;
import dev.recurrent.evaluation.task.source.JsonLine;
import dev.recurrent.evaluation.task.source.JsonLines;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Questions from a JSONL file, each answered by the likelihoods of continuations. All lines are
 * checked when the task is made.
 */
public final class QuestionTask implements Task {

    /** What lm-evaluation-harness puts after each example. */
    public static final String SEPARATOR = "\n\n";

    private final String name;
    private final Grading grading;
    private final List<Question> questions;
    private final Shots shots;

    private QuestionTask(String name, Grading grading, List<Question> questions, Shots shots) {
        this.name = name;
        this.grading = grading;
        this.questions = List.copyOf(questions);
        this.shots = shots;
    }

    /**
     * A kind of task whose questions are in the folder that the user names.
     *
     * @param name of the task, and of its file
     * @param summary what it asks, in a line
     * @param format of the file
     * @param grading of the answers
     */
    static TaskType type(String name, String summary, QuestionFormat format, Grading grading) {
        return new TaskType(
                name,
                summary,
                false,
                options ->
                        read(
                                name,
                                QuestionFiles.of(name, options),
                                format,
                                grading,
                                SEPARATOR,
                                options));
    }

    /**
     * Reads a task's questions.
     *
     * @param name of the task
     * @param files its questions and examples
     * @param format of the files
     * @param grading of the answers
     * @param separator stands after each example before a question
     * @param options what the user chose; a limit counts questions
     * @throws InvalidInputException if a file is missing, a line is malformed, or there are too few
     *     examples
     * @throws IOException if a file cannot be read
     */
    public static QuestionTask read(
            String name,
            QuestionFiles files,
            QuestionFormat format,
            Grading grading,
            String separator,
            TaskOptions options)
            throws IOException {
        boolean drawsFromItself = options.shots() > 0 && files.examples() == null;
        List<Question> all = read(files.questions(), format, drawsFromItself ? 0 : options.limit());
        List<Question> examples = List.of();
        if (options.shots() > 0) {
            examples = drawsFromItself ? all : read(files.examples(), format, 0);
        }
        int others = drawsFromItself ? examples.size() - 1 : examples.size();
        if (others < options.shots()) {
            throw new InvalidInputException(
                    (drawsFromItself ? files.questions() : files.examples())
                            + " has "
                            + others
                            + " examples for each question, fewer than the "
                            + options.shots()
                            + " that are to stand before it");
        }
        return new QuestionTask(
                name,
                grading,
                all.subList(0, Math.toIntExact(options.limited(all.size()))),
                new Shots(examples, options.shots(), separator, options.seed()));
    }

    private static List<Question> read(Path file, QuestionFormat format, long limit)
            throws IOException {
        List<Question> questions = new ArrayList<>();
        for (JsonLine line : JsonLines.read(file, limit)) {
            questions.add(format.read(line));
        }
        return questions;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public List<Metric> metrics() {
        return grading.metrics();
    }

    @Override
    public Documents documents() {
        return Documents.drawn(questions.size());
    }

    @Override
    public Questions fit(Traits traits) {
        Continuations continuations = new Continuations(traits.requireTokenizer(name));
        return (scorer, documents) -> ask(continuations, scorer, documents);
    }

    private List<Outcome> ask(
            Continuations continuations, Scorer scorer, List<Document> documents) {
        List<Inquiry> inquiries = new ArrayList<>();
        for (Document document : documents) {
            Question question = questions.get(Math.toIntExact(document.index()));
            String before = shots.before(document.index(), question);
            inquiries.add(new Inquiry(document.index(), question, before, continuations));
        }
        Inquiry.score(inquiries, scorer);
        return inquiries.stream().map(inquiry -> inquiry.outcome(grading, scorer)).toList();
    }
}

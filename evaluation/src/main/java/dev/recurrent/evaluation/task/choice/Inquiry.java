package dev.recurrent.evaluation.task.choice;

import dev.recurrent.evaluation.score.Prompt;
import dev.recurrent.evaluation.score.Scorer;
import dev.recurrent.evaluation.score.Scores;
import dev.recurrent.evaluation.task.Outcome;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A question as it is put to one model: a prompt for each context that its choices continue. */
final class Inquiry {

    private final long index;
    private final Question question;
    private final String before;
    private final Map<String, List<Integer>> choicesByContext = new LinkedHashMap<>();
    private final List<Prompt> prompts = new ArrayList<>();
    private final Scores[] scores;

    /**
     * Encodes a question.
     *
     * @param index of its document
     * @param question the question
     * @param before examples that stand before it
     * @param continuations encodes for the model
     */
    Inquiry(long index, Question question, String before, Continuations continuations) {
        this.index = index;
        this.question = question;
        this.before = before;
        List<Choice> choices = question.choices();
        scores = new Scores[choices.size()];
        for (int i = 0; i < scores.length; i++) {
            choicesByContext
                    .computeIfAbsent(choices.get(i).context(), context -> new ArrayList<>())
                    .add(i);
        }
        choicesByContext.forEach(
                (context, members) ->
                        prompts.add(
                                continuations.encode(
                                        before + context,
                                        members.stream()
                                                .map(i -> choices.get(i).continuation())
                                                .toList(),
                                        question.where())));
    }

    /** Scores all choices of some questions. */
    static void score(List<Inquiry> inquiries, Scorer scorer) {
        List<Prompt> all = inquiries.stream().flatMap(inquiry -> inquiry.prompts.stream()).toList();
        List<List<Scores>> results = scorer.continuations(all);
        int from = 0;
        for (Inquiry inquiry : inquiries) {
            int to = from + inquiry.prompts.size();
            inquiry.take(results.subList(from, to));
            from = to;
        }
    }

    private void take(List<List<Scores>> results) {
        int prompt = 0;
        for (List<Integer> members : choicesByContext.values()) {
            for (int i = 0; i < members.size(); i++) {
                scores[members.get(i)] = results.get(prompt).get(i);
            }
            prompt++;
        }
    }

    /** Returns what the scores say. */
    Outcome outcome(Grading grading, Scorer scorer) {
        List<Scores> all = Arrays.asList(scores);
        return new Outcome(
                index,
                grading.grade(question, all),
                prompts.stream().mapToLong(Inquiry::tokens).sum(),
                prompts.stream()
                        .mapToLong(prompt -> scorer.stateBytes(longest(prompt)))
                        .max()
                        .orElseThrow(),
                sample(all));
    }

    /** Returns how many tokens the model reads: the context once, and no continuation's last. */
    private static long tokens(Prompt prompt) {
        return prompt.context().length
                + prompt.continuations().stream().mapToLong(ids -> ids.length - 1).sum();
    }

    private static long longest(Prompt prompt) {
        return prompt.context().length
                + prompt.continuations().stream()
                        .mapToLong(ids -> ids.length - 1)
                        .max()
                        .orElseThrow();
    }

    private Map<String, Object> sample(List<Scores> all) {
        List<Choice> choices = question.choices();
        Map<String, Object> sample = new LinkedHashMap<>();
        sample.put("contexts", choicesByContext.keySet().stream().map(before::concat).toList());
        sample.put("continuations", choices.stream().map(Choice::continuation).toList());
        sample.put("log_likelihoods", all.stream().map(Scores::sum).toList());
        sample.put("greedy", all.stream().map(Scores::isGreedy).toList());
        sample.put("chosen", Grading.choice(all));
        sample.put("answer", question.answer());
        return sample;
    }
}

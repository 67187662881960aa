//! Every path of the API.

use std::sync::Arc;

use axum::Router;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;

use super::query::show_query;
use super::report::show_report;
use super::state::AppState;
use super::{auth, catalogue, docs, event, health, middleware, stopping};
use crate::report::active_participants::ActiveParticipants;
use crate::report::class_performance_summary::ClassPerformanceSummary;
use crate::report::classroom_engagement::ClassroomEngagement;
use crate::report::classroom_engagement_history::ClassroomEngagementHistory;
use crate::report::classroom_overview::ClassroomOverview;
use crate::report::classroom_sessions::ClassroomSessions;
use crate::report::classroom_student_rankings::ClassroomStudentRankings;
use crate::report::completion_rate::CompletionRate;
use crate::report::content_effectiveness::ContentEffectiveness;
use crate::report::dropoff_analysis::DropoffAnalysis;
use crate::report::latency_analysis::LatencyAnalysis;
use crate::report::question_analysis::QuestionAnalysis;
use crate::report::questions_per_minute::QuestionsPerMinute;
use crate::report::quiz_questions_list::QuizQuestionsList;
use crate::report::quiz_sessions::QuizSessions;
use crate::report::quiz_summary::QuizSummary;
use crate::report::response_rate::ResponseRate;
use crate::report::session_student_rankings::SessionStudentRankings;
use crate::report::student_activity_summary::StudentActivitySummary;
use crate::report::student_performance::StudentPerformance;
use crate::report::student_performance_list::StudentPerformanceList;
use crate::report::timeout_analysis::TimeoutAnalysis;

/// The routes over their state.
pub fn router(state: AppState) -> Router {
    let reports = Router::new()
        .route("/query", post(show_query))
        .route(
            "/active-participants",
            get(show_report::<ActiveParticipants>),
        )
        .route(
            "/questions-per-minute",
            get(show_report::<QuestionsPerMinute>),
        )
        .route(
            "/student-performance",
            get(show_report::<StudentPerformance>),
        )
        .route(
            "/classroom-engagement",
            get(show_report::<ClassroomEngagement>),
        )
        .route(
            "/content-effectiveness",
            get(show_report::<ContentEffectiveness>),
        )
        .route("/response-rate", get(show_report::<ResponseRate>))
        .route("/latency-analysis", get(show_report::<LatencyAnalysis>))
        .route("/timeout-analysis", get(show_report::<TimeoutAnalysis>))
        .route("/completion-rate", get(show_report::<CompletionRate>))
        .route("/dropoff-analysis", get(show_report::<DropoffAnalysis>))
        .route(
            "/student-performance-list",
            get(show_report::<StudentPerformanceList>),
        )
        .route(
            "/classroom-engagement-history",
            get(show_report::<ClassroomEngagementHistory>),
        )
        .route("/quiz-summary", get(show_report::<QuizSummary>))
        .route("/question-analysis", get(show_report::<QuestionAnalysis>))
        .route(
            "/quiz-questions-list",
            get(show_report::<QuizQuestionsList>),
        )
        .route("/classroom-sessions", get(show_report::<ClassroomSessions>))
        .route("/quiz-sessions", get(show_report::<QuizSessions>))
        .route(
            "/classroom-student-rankings",
            get(show_report::<ClassroomStudentRankings>),
        )
        .route(
            "/session-student-rankings",
            get(show_report::<SessionStudentRankings>),
        )
        .route("/classroom-overview", get(show_report::<ClassroomOverview>))
        .route(
            "/class-performance-summary",
            get(show_report::<ClassPerformanceSummary>),
        )
        .route(
            "/student-activity-summary",
            get(show_report::<StudentActivitySummary>),
        );
    let api = Router::new()
        .route("/auth/signup", post(auth::create_account))
        .route("/auth/login", post(auth::create_token))
        .route("/events", post(event::create_event))
        .route("/events/batch", post(event::create_events))
        .route(
            "/quizzes/{quiz_id}",
            get(catalogue::show_quiz).put(catalogue::replace_quiz),
        )
        .route(
            "/classrooms/{classroom_id}",
            get(catalogue::show_classroom).put(catalogue::replace_classroom),
        )
        .nest("/reports", reports);
    Router::new()
        .nest("/api", api)
        .route("/health", get(health::show_health))
        .route("/livez", get(health::show_liveness))
        .route("/readyz", get(health::show_readiness))
        .route("/metrics", get(health::show_metrics))
        .route("/openapi.json", get(docs::show_openapi))
        .route("/docs", get(docs::show_docs))
        .fallback(answer_unknown)
        .method_not_allowed_fallback(answer_unknown)
        .layer(CatchPanicLayer::custom(middleware::answer_panic))
        .layer(from_fn(middleware::announce_unread))
        .layer(from_fn(middleware::record))
        .layer(from_fn_with_state(
            state.stopping.clone(),
            stopping::announce,
        ))
        .with_state(Arc::new(state))
}

/// The original answered an unknown path or method with a plain 404, and sent a trailing slash on to the path
/// without it.
async fn answer_unknown(method: Method, uri: Uri) -> Response {
    let trimmed = uri.path().trim_end_matches('/');
    // A path that begins with two slashes would send the client to another host.
    let is_ours = trimmed.starts_with('/') && !trimmed.starts_with("//");
    if uri.path().ends_with('/') && is_ours {
        let target = match uri.query() {
            Some(query) => format!("{trimmed}?{query}"),
            None => trimmed.to_owned(),
        };
        let status = if method == Method::GET {
            StatusCode::MOVED_PERMANENTLY
        } else {
            StatusCode::TEMPORARY_REDIRECT
        };
        if let Ok(target) = HeaderValue::try_from(target) {
            return (status, [(LOCATION, target)]).into_response();
        }
    }
    (StatusCode::NOT_FOUND, "404 page not found").into_response()
}
